"""Plots of a GAN on two-dimensional data, with D's logits and the number of modes."""

from __future__ import annotations

import torch
from lightning import Trainer
from matplotlib.axes import Axes
from torch import Tensor

from gan_lightning import rng
from gan_lightning.callbacks.samples import SampleGrid
from gan_lightning.data import Gaussians2D
from gan_lightning.errors import UserError
from gan_lightning.models import GAN
from gan_lightning.visualization import grids
from gan_lightning.visualization.grids import Picture


class SurfacePlot(SampleGrid):
    """Plots data and generated samples over D's logits, as `samples`. With each plot it logs `metric/modes` and
    `metric/high_quality` of `num` samples. With `model.pack`, the logits are of packs of equal points. Arguments are
    those of `SampleGrid`.

    Raises:
        UserError: At setup, if the data is not `Gaussians2D`.
    """

    METRICS = ("modes", "high_quality")
    MARGIN = 1.1 / 0.8
    """The plot's largest coordinate, in units of the largest coordinate of a mean."""
    POINTS = 100
    """The number of points along an axis at which D is evaluated."""
    SHOWN = 2000  # data samples and generated samples in a plot, each

    def setup(self, trainer: Trainer, pl_module: GAN, stage: str) -> None:  # type: ignore[override]
        data = trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, Gaussians2D):
            raise UserError(f"callbacks.samples: SurfacePlot needs data=gaussians_2d, not {type(data).__name__}")

    def on_due(self, trainer: Trainer, model: GAN) -> None:
        self._measure(trainer, model)
        super().on_due(trainer, model)

    def _measure(self, trainer: Trainer, model: GAN) -> None:
        """Logs the metrics, which are the same in every process."""
        data: Gaussians2D = trainer.datamodule  # type: ignore[attr-defined]
        samples = self._generated(model)
        values = (float(data.modes_covered(samples)), data.high_quality(samples))
        found = {f"metric/{name}": value for name, value in zip(self.METRICS, values, strict=True)}
        model.log_now(found)

    def paint(self, trainer: Trainer, model: GAN) -> Picture:
        data: Gaussians2D = trainer.datamodule  # type: ignore[attr-defined]
        true = data.sample(self.SHOWN, rng.generator("surface", self.seed))
        generated = self._generated(model)
        modes, quality = data.modes_covered(generated), data.high_quality(generated)
        limit = self.MARGIN * data.extent
        axis = torch.linspace(-limit, limit, self.POINTS)
        logits = discriminator_logits(model, torch.cartesian_prod(axis, axis), data.batch_size)

        def draw(axes: Axes) -> None:
            surface = axes.contourf(axis, axis, logits.view(self.POINTS, self.POINTS).T, levels=20, cmap="Greys")
            axes.figure.colorbar(surface, label="logit of D")
            for samples, name, color in ((generated, "generated", "tab:orange"), (true, "data", "tab:blue")):
                axes.scatter(samples[: self.SHOWN, 0], samples[: self.SHOWN, 1], s=2, label=name, color=color)
            axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
            found = f"{modes} of {len(data.means)} modes, {quality:.0%} within three std"
            axes.set_title(f"batch {trainer.global_step}: {found}")
            axes.legend(loc="lower center", ncols=2, markerscale=4)

        return grids.plot(draw)

    def _generated(self, model: GAN) -> Tensor:
        return torch.cat(list(model.sample_blocks(self.num, self.seed))).cpu()


def discriminator_logits(model: GAN, points: Tensor, batch_size: int) -> Tensor:
    """D's logits of packs of equal points in eval mode, in batches of the training size: minibatch discrimination."""
    discriminator = model.discriminator
    was_training = discriminator.training
    discriminator.eval()
    try:
        with torch.no_grad():
            batches = points.to(model.device).split(batch_size)
            return torch.cat([discriminator(batch.repeat(1, model.pack)).float().cpu() for batch in batches])
    finally:
        discriminator.train(was_training)
