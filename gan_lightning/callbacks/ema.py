"""An exponential moving average of the generator's weights."""

from __future__ import annotations

from typing import Any

import torch
from lightning import Trainer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from gan_lightning.cadence import StepCallback
from gan_lightning.losses import StepOutput
from gan_lightning.models import GAN


class GeneratorEMA(StepCallback):
    """Averages the generator's weights after each of its updates: ema = d * ema + (1 - d) * weights.

    At the start d is smaller, min(decay, (1 + n) / (10 + n)) after n updates, so that the initial weights
    soon have no effect. Buffers (batch-norm statistics) are copied. Yazici et al. 2019 (arXiv:1806.04498).

    Args:
        decay: The largest d, in [0, 1).
    """

    def __init__(self, decay: float = 0.999) -> None:
        self.decay = decay

    def setup(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:  # type: ignore[override]
        if pl_module.generator_ema is None:
            pl_module.track_ema()

    @torch.no_grad()
    def on_step_end(self, trainer: Trainer, model: GAN, batch: Any, output: StepOutput) -> None:
        if "generator" not in output["terms"]:
            return
        assert model.generator_ema is not None
        updates = trainer.global_step // model.n_critic
        decay = min(self.decay, (1 + updates) / (10 + updates))
        averages, weights = model.generator_ema, model.generator
        average_ = get_ema_multi_avg_fn(decay)
        average_(list(averages.parameters()), list(weights.parameters()), updates)  # type: ignore[no-untyped-call]
        for average, buffer in zip(averages.buffers(), weights.buffers(), strict=True):
            average.copy_(buffer)
