"""An exponential moving average of the generator's weights."""

from __future__ import annotations

from typing import Any

import torch
from lightning import Trainer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from gan_lightning._compat.torch import copy_all_
from gan_lightning.cadence import StepCallback, global_batch_size
from gan_lightning.losses import BatchOutput
from gan_lightning.models import GAN
from gan_lightning.models.phases import batches_of_update


class GeneratorEMA(StepCallback):
    """Averages the generator's weights after each of its updates: ema = d * ema + (1 - d) * weights.

    With `decay`, d is smaller at the start, min(decay, (1 + n) / (10 + n)) after n updates, so that the initial weights
    soon have no effect: Yazici et al. 2019 (arXiv:1806.04498). With `half_life`, d = 0.5^(b / half_life) for b
    real images between two updates of G, and with `rampup` the half-life is at most that share of all images so far, as
    in the code of Karras et al. 2020 (arXiv:2006.06676), which has 0.05. A half-life of 0 gives the weights themselves.
    Buffers (batch-norm statistics) are copied.

    Args:
        decay: The largest d, in [0, 1); None: there is a half-life instead.
        half_life: The number of real images, over all processes, in which the share of old weights halves; it may have
            the schedule `ema.half_life`.
        rampup: The largest ratio of the half-life to the images so far; None: no limit.

    Raises:
        ValueError: There are both a decay and a half-life, or neither, or a ramp-up without a half-life.
    """

    def __init__(
        self, decay: float | None = 0.999, half_life: float | None = None, rampup: float | None = None
    ) -> None:
        if (decay is None) == (half_life is None):
            raise ValueError(
                f"callbacks.ema.half_life={half_life}, decay={decay}: set one of them, and the other to null"
            )
        if rampup is not None and half_life is None:
            raise ValueError(
                f"callbacks.ema.rampup={rampup}: it limits the half-life; set callbacks.ema.half_life, too"
            )
        self.decay = decay
        self.half_life = half_life
        self.rampup = rampup

    def schedulable(self) -> dict[str, float]:
        return {} if self.half_life is None else {"ema.half_life": self.half_life}

    def setup(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:  # type: ignore[override]
        if pl_module.generator_ema is None:
            pl_module.track_ema()

    @torch.no_grad()
    def on_step_end(self, trainer: Trainer, model: GAN, batch: Any, output: BatchOutput) -> None:
        if "generator" not in output["terms"]:
            return
        assert model.generator_ema is not None
        updates = trainer.global_step // model.n_critic
        decay = self._decay(trainer, model, batch, output)
        averages, weights = model.generator_ema, model.generator
        average_ = get_ema_multi_avg_fn(decay)
        average_(list(averages.parameters()), list(weights.parameters()), updates)  # type: ignore[no-untyped-call]
        copy_all_(list(averages.buffers()), list(weights.buffers()))

    def _decay(self, trainer: Trainer, model: GAN, batch: Any, output: BatchOutput) -> float:
        if self.decay is not None:
            updates = trainer.global_step // model.n_critic
            return min(self.decay, (1 + updates) / (10 + updates))
        batch_size = global_batch_size(trainer, batch[0])
        assert self.half_life is not None
        half_life = output["scheduled"].get("ema.half_life", self.half_life)
        if self.rampup is not None:
            half_life = min(half_life, self.rampup * (trainer.global_step - 1) * batch_size)
        batches = batches_of_update(model.phases, model.n_critic, trainer.global_step - 1)
        return 0.5 ** (batch_size * batches / half_life) if half_life > 0 else 0.0
