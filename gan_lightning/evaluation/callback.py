"""Quality while training: metrics of the moment's samples against real images."""

from __future__ import annotations

from typing import Any

import torch
from lightning import Callback, LightningDataModule, Trainer

from gan_lightning.cadence import due, is_last_batch
from gan_lightning.data.images import Split
from gan_lightning.distributed import collectives
from gan_lightning.evaluation.features import Extractor, join
from gan_lightning.evaluation.generated import generated_features, samples_seed
from gan_lightning.evaluation.metrics import CLASS_METRICS, METRICS
from gan_lightning.evaluation.reference import Reference
from gan_lightning.models import GAN


class Evaluation(Callback):
    """FID and its kin as `metric/*`, of the averaged generator where there is one, always in eval mode.

    Sample i depends on `seed` and i alone, and several processes share the samples: the metrics are those of one.
    They are what `gan_lightning.cli.evaluate` finds for its first repeat, given the same options.

    Args:
        extractor: maps images to the features that metrics are computed on.
        num: generated images, two at least.
        split: the real images to compare with: test, or train.
        every_n_steps: batches between evaluations; None: none by batches. The last planned batch has one, too.
        every_n_epochs: epochs between evaluations; None: none by epochs.
        seed: of the latents, the same in every run whatever its seed.
    """

    def __init__(
        self,
        extractor: Extractor,
        num: int = 10_000,
        split: Split = "test",
        every_n_steps: int | None = 1000,
        every_n_epochs: int | None = None,
        seed: int = 0,
    ) -> None:
        if num < 2:
            raise ValueError(f"callbacks.evaluation.num={num}: expected 2 images or more")
        self.extractor = extractor
        self.num = num
        self.split: Split = split
        self.every_n_steps = every_n_steps
        self.every_n_epochs = every_n_epochs
        self.seed = seed
        self.reference: Reference | None = None

    def prepare(self, data: LightningDataModule, device: torch.device) -> list[str]:
        """Gets the network and the real images' features, once; returns the names of the metrics to come.

        Raises:
            UserError: they cannot be had.
        """
        if self.reference is None:
            self.reference = Reference(self.extractor, data, self.split, device)
        given = [name for name in METRICS if self.reference.classifies or name not in CLASS_METRICS]
        return [f"metric/{name}" for name in given]

    def setup(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:  # type: ignore[override]
        self.prepare(trainer.datamodule, trainer.strategy.root_device)  # type: ignore[attr-defined]

    def on_train_batch_end(self, trainer: Trainer, pl_module: GAN, *_: Any) -> None:  # type: ignore[override]
        if due(trainer, self.every_n_steps, self.every_n_epochs) or is_last_batch(trainer):
            self._evaluate(trainer, pl_module)

    def _evaluate(self, trainer: Trainer, model: GAN) -> None:
        share = generated_features(
            model,
            self.extractor,
            self.num,
            samples_seed(self.seed),
            rank=trainer.global_rank,
            processes=trainer.world_size,
        )
        shares = collectives.gather_to_rank_zero(share) if trainer.world_size > 1 else [share]
        found: dict[str, float] = {}
        if trainer.is_global_zero:
            assert self.reference is not None
            features = join(share for share in shares if share is not None)
            found = {f"metric/{name}": v for name, v in self.reference.metrics(features, self.seed).items()}
        found = trainer.strategy.broadcast(found)
        # Lightning would drop what is logged between two batches of its log_every_n_steps.
        for logger in trainer.loggers:
            logger.log_metrics(found, step=trainer.global_step)
        model.log_dict(found, logger=False)
