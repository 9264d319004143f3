"""The graph of the networks."""

from __future__ import annotations

import warnings

import torch
from lightning import Callback, Trainer
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor, nn

from gan_lightning.models import GAN
from gan_lightning.models.batch import Batch


class NetworkGraph(Callback):
    """Writes the graph of D(G(z)) to TensorBoard's graph tab."""

    @rank_zero_only
    def on_train_start(self, trainer: Trainer, pl_module: GAN) -> None:  # type: ignore[override]
        z = pl_module.fixed_z(2 * pl_module.pack, seed=0).to(pl_module.device)
        condition = pl_module.fixed_conditions(2 * pl_module.pack, seed=0)
        inputs = (z,) if condition is None else (z, condition.to(pl_module.device))
        chain = Networks(pl_module.generator, pl_module.discriminator, pl_module.pack).eval()
        for logger in trainer.loggers:
            if isinstance(logger, TensorBoardLogger):
                with warnings.catch_warnings(), torch.no_grad():
                    warnings.simplefilter("ignore")  # the tracer that TensorBoard's writer uses is deprecated
                    logger.experiment.add_graph(chain, inputs)
        chain.train()


class Networks(nn.Module):
    """Both networks in one module; its name is the name of the graph's outermost box."""

    def __init__(self, generator: nn.Module, discriminator: nn.Module, pack: int = 1) -> None:
        super().__init__()
        self.generator, self.discriminator, self.pack = generator, discriminator, pack

    def forward(self, z: Tensor, condition: Tensor | None = None) -> Tensor:
        fake = Batch(self.generator(z, condition), condition).packed(self.pack)
        return self.discriminator(fake.samples, fake.condition)
