"""Evaluation during training: the metrics of the current generator's samples against real images."""

from __future__ import annotations

import torch
from lightning import LightningDataModule, Trainer

from gan_lightning.cadence import StepCallback, due, is_last_batch
from gan_lightning.data.images import Split
from gan_lightning.distributed import collectives
from gan_lightning.evaluation.features import Extractor, join
from gan_lightning.evaluation.generated import generated_features, samples_seed
from gan_lightning.evaluation.reference import Reference
from gan_lightning.models import GAN


class Evaluation(StepCallback):
    """Logs FID and the other metrics as `metric/*`. It uses the EMA generator if there is one, always in eval mode.

    Sample i depends only on `seed` and i, and the processes divide the samples: the metrics do not depend on their
    number. They equal the first repeat of `gan-evaluate` with the same options.

    Args:
        extractor: It maps images to the features that the metrics are computed on.
        num: The number of generated images, at least 2.
        split: The real images to compare with: test, or train.
        every_n_steps: The number of batches between evaluations; None: none by batches. The last batch always has one.
        every_n_epochs: The number of epochs between evaluations; None: none by epochs.
        seed: The seed of the latents. It does not depend on the run's seed.

    Raises:
        ValueError: `num` is less than 2.
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
        """Loads the network and the real images' features, once; returns the names of the metrics that are logged.

        Raises:
            UserError: The network or the real images are not available.
        """
        if self.reference is None:
            self.reference = Reference(self.extractor, data, self.split, device)
        return [f"metric/{name}" for name in self.reference.metric_names]

    def setup(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:  # type: ignore[override]
        self.prepare(trainer.datamodule, trainer.strategy.root_device)  # type: ignore[attr-defined]

    def is_due(self, trainer: Trainer) -> bool:
        return due(trainer, self.every_n_steps, self.every_n_epochs) or is_last_batch(trainer)

    def on_due(self, trainer: Trainer, model: GAN) -> None:
        model.log_now(self.measure(trainer, model))

    def measure(self, trainer: Trainer, model: GAN, repeat: int = 0) -> dict[str, float]:
        """Returns the metrics of the current generator by name. All processes call it, and get those of rank zero.

        Args:
            trainer: The Trainer.
            model: The model.
            repeat: The number of the draw of latents, as of the repeats of `gan-evaluate`; 0: the draw that is logged.
        """
        shard = generated_features(
            model,
            self.extractor,
            self.num,
            samples_seed(self.seed, repeat),
            rank=trainer.global_rank,
            processes=trainer.world_size,
        )
        shards = collectives.gather_to_rank_zero(shard) if trainer.world_size > 1 else [shard]
        found: dict[str, float] = {}
        if trainer.is_global_zero:
            assert self.reference is not None
            features = join(shard for shard in shards if shard is not None)
            found = {f"metric/{name}": v for name, v in self.reference.metrics(features, self.seed).items()}
        return trainer.strategy.broadcast(found)
