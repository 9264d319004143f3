"""Data parallelism of a GAN: one gradient all-reduce per optimizer step."""

from __future__ import annotations

from functools import cached_property

import torch.distributed as dist
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy

from gan_lightning._compat.lightning import skip_sigterm_broadcast
from gan_lightning.distributed.launcher import Launcher


class GANStrategy(DDPStrategy):
    """Data parallelism for a module of several networks that take turns.

    DistributedDataParallel reduces every parameter at every backward, and refuses parameters that a turn
    leaves out. Here the module stays unwrapped and `GAN` averages the gradients of the player that moves:
    half the traffic, and right under gradient penalties too.
    """

    @cached_property
    def launcher(self) -> Launcher:  # type: ignore[override]
        """What starts the other processes; Lightning asks for it by this name."""
        assert self.cluster_environment is not None
        return Launcher(self.cluster_environment, self.num_processes, self.num_nodes)

    def configure_ddp(self) -> None:
        """Instead of wrapping the module, gives every process the first one's weights."""
        assert self.model is not None
        for tensor in self.model.state_dict().values():
            dist.broadcast(tensor, src=0)

    def setup(self, trainer: Trainer) -> None:
        super().setup(trainer)
        skip_sigterm_broadcast(trainer)
