"""Pictures of what the generator draws while it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from lightning import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torchvision.utils import save_image

from gan_lightning import rng
from gan_lightning.callbacks.cadence import due
from gan_lightning.files import atomic
from gan_lightning.models import GAN
from gan_lightning.pictures import grid


class SampleGrid(Callback):
    """A grid of samples of the same latents, again and again, as TensorBoard's `samples` and as PNG files.

    `samples/step_00000000.png` is the untrained generator's, `samples/real.png` shows training images.

    Args:
        folder: the run folder; the pictures go to `samples/` inside it.
        num: pictures in a grid.
        every_n_steps: batches between grids; None: none by batches.
        every_n_epochs: epochs between grids; None: none by epochs.
        seed: of the latents.
    """

    def __init__(
        self,
        folder: str,
        num: int = 25,
        every_n_steps: int | None = 500,
        every_n_epochs: int | None = None,
        seed: int = 0,
    ) -> None:
        self.folder = Path(folder, "samples")
        self.num = num
        self.every_n_steps = every_n_steps
        self.every_n_epochs = every_n_epochs
        self.seed = seed
        self._drawn_at = -1

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        if trainer.global_step == 0:
            self._draw(trainer, pl_module)

    @rank_zero_only
    def on_train_batch_end(  # type: ignore[override]
        self, trainer: Trainer, pl_module: GAN, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if trainer.global_step == 1:
            self._publish(trainer, "real", "real.png", batch[0][: self.num])
        if due(trainer, self.every_n_steps, self.every_n_epochs):
            self._draw(trainer, pl_module)

    @rank_zero_only
    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        if self._drawn_at != trainer.global_step:
            self._draw(trainer, pl_module)

    def _draw(self, trainer: Trainer, model: GAN) -> None:
        images = torch.cat(list(model.samples(self.num, seed=rng.mix("grid", self.seed))))
        self._publish(trainer, "samples", f"step_{trainer.global_step:08d}.png", images)
        self._drawn_at = trainer.global_step

    def _publish(self, trainer: Trainer, tag: str, name: str, images: Tensor) -> None:
        picture = grid(images)
        with atomic(self.folder / name) as path:
            save_image(picture, path, format="png")
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                logger.experiment.add_image(tag, picture, trainer.global_step)
