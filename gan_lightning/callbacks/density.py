"""Plots of a one-dimensional GAN: the densities of data and generated samples, and D's output."""

from __future__ import annotations

import torch
from lightning import Trainer
from lightning.pytorch.utilities import rank_zero_only
from matplotlib.axes import Axes
from torch import Tensor

from gan_lightning import rng
from gan_lightning.callbacks.samples import SampleGrid
from gan_lightning.callbacks.surface import discriminator_logits
from gan_lightning.data import Gaussian1D
from gan_lightning.errors import UserError
from gan_lightning.models import GAN
from gan_lightning.visualization import grids
from gan_lightning.visualization.grids import Picture


class DensityPlot(SampleGrid):
    """Plots the densities of data and generated samples and D(x): as `samples` over [-6, 6], and at the end as
    `density` over [-8, 8]. `num` is the number of samples for each density. Arguments are those of `SampleGrid`.

    Raises:
        UserError: At setup, if the data is not `Gaussian1D`.
    """

    POINTS = 10_000  # at which D is evaluated
    BINS = 100

    def setup(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:  # type: ignore[override]
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, Gaussian1D):
            raise UserError(f"callbacks.samples: DensityPlot needs data=gaussian_1d, not {type(data).__name__}")

    def paint(self, trainer: Trainer, model: GAN) -> Picture:
        return self._plot(trainer, model, 6.0)

    @rank_zero_only
    def on_train_end(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        super().on_train_end(trainer, pl_module)
        self.publish(trainer, "density", "density.png", self._plot(trainer, pl_module, 8.0))

    def _plot(self, trainer: Trainer, model: GAN, limit: float) -> Picture:
        data: Gaussian1D = trainer.datamodule  # type: ignore[attr-defined]
        true = data.sample(self.num, rng.generator("density", self.seed))
        generated = torch.cat(list(model.sample_blocks(self.num, self.seed))).cpu()
        x = torch.linspace(-limit, limit, self.POINTS)
        boundary = discriminator_logits(model, x.unsqueeze(1), data.batch_size).sigmoid()

        def draw(axes: Axes) -> None:
            axes.plot(x, boundary, label="decision boundary D(x)")
            for samples, name in ((true, "data"), (generated, "generated")):
                label = f"{name}: {samples.mean():.2f} ± {samples.std():.2f}"
                axes.plot(*self._histogram(samples, limit), label=label)
            axes.set(xlim=(-limit, limit), ylim=(0, 1.4), xlabel="x", ylabel="probability, density")
            axes.set_title(f"batch {trainer.global_step}")
            axes.legend(loc="upper left")

        return grids.plot(draw)

    def _histogram(self, samples: Tensor, limit: float) -> tuple[Tensor, Tensor]:
        counts, edges = torch.histogram(samples.flatten(), self.BINS, range=(-limit, limit))
        width = 2 * limit / self.BINS
        return (edges[:-1] + edges[1:]) / 2, counts / (len(samples) * width)
