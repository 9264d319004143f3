"""Sample grids during training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer
from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from PIL.PngImagePlugin import PngInfo
from torchvision.transforms.functional import to_pil_image

from gan_lightning import rng
from gan_lightning.cadence import StepCallback, due, is_last_batch
from gan_lightning.callbacks.loggers import log_picture
from gan_lightning.callbacks.writer import Writer
from gan_lightning.files import atomic
from gan_lightning.losses import BatchOutput
from gan_lightning.models import GAN
from gan_lightning.visualization import grids
from gan_lightning.visualization.grids import Picture


class SampleGrid(StepCallback):
    """Writes grids of samples, always with the same latents, to PNG files, and to loggers as `samples`.

    With a conditional model each row has one label, and all rows have the same latents.
    `samples/step_00000000.png` is from the untrained generator, `samples/real.png` shows training samples.

    Args:
        folder: The run folder; the pictures are written to `samples/` in it.
        num: The number of samples in a grid; with labels, each row has about the square root of it.
        every_n_steps: The number of batches between grids; None: none by batches.
        every_n_epochs: The number of epochs between grids; None: none by epochs.
        seed: The seed of the latents.
    """

    ROWS = 10
    """The largest number of labels in a grid."""

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
        self.seed = rng.mix("grid", seed)
        self._drawn_at = -1

    def paint(self, trainer: Trainer, model: GAN) -> Picture:
        """Returns the sample grid of the current generator."""
        if model.vocabulary is None:
            return grids.picture(torch.cat(list(model.sample_blocks(self.num, self.seed))))
        columns = math.ceil(math.sqrt(self.num))
        conditions = model.vocabulary.distinct(self.ROWS)
        z = model.fixed_z(columns, self.seed).repeat(len(conditions), 1)
        conditions = conditions.repeat_interleave(columns, 0)
        images = torch.cat(list(model.generate(z, conditions)))
        return grids.grid(images, columns, [model.vocabulary.describe(row) for row in conditions])

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        if trainer.global_step == 0:
            self._draw(trainer, pl_module)
        elif (self.folder / _name(trainer.global_step)).exists():  # before the checkpoint that this session begins with
            self._drawn_at = trainer.global_step

    @rank_zero_only
    def on_step_end(self, trainer: Trainer, model: GAN, batch: Any, output: BatchOutput) -> None:
        if trainer.global_step == 1:
            self.publish(trainer, "real", "real.png", grids.picture(batch[0][: self.num]))

    def is_due(self, trainer: Trainer) -> bool:
        return due(trainer, self.every_n_steps, self.every_n_epochs) or is_last_batch(trainer)

    @rank_zero_only
    def on_due(self, trainer: Trainer, model: GAN) -> None:
        self._draw(trainer, model)

    @rank_zero_only
    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        if self._drawn_at != trainer.global_step:  # another callback or a signal has stopped training
            self._draw(trainer, pl_module)

    def _draw(self, trainer: Trainer, model: GAN) -> None:
        self.publish(trainer, "samples", _name(trainer.global_step), self.paint(trainer, model))
        self._drawn_at = trainer.global_step

    def publish(self, trainer: Trainer, tag: str, name: str, picture: Picture) -> None:
        """Lets the writer write a picture to the folder, with the epoch in its PNG header, and to the loggers."""
        epoch = math.ceil(trainer.global_step / trainer.num_training_batches)
        loggers = list(trainer.loggers)
        Writer.of(trainer).submit(
            partial(_write, picture, self.folder / name, epoch, loggers, tag, trainer.global_step)
        )


def _write(picture: Picture, path: Path, epoch: int, loggers: Sequence[Logger], tag: str, step: int) -> None:
    """Writes a picture to a PNG file, and gives the file to the loggers."""
    origin = PngInfo()
    origin.add_text("epoch", str(epoch))
    with atomic(path) as part:
        to_pil_image(picture).save(part, format="png", pnginfo=origin)
    for logger in loggers:
        log_picture(logger, tag, path, step)


def _name(step: int) -> str:
    return f"step_{step:08d}.png"
