"""Data parallelism of a GAN: one gradient all-reduce per optimizer step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch.distributed as dist
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy

from gan_lightning.distributed.launcher import Launcher


class GANStrategy(DDPStrategy):
    """Data parallelism for a module of several networks that take turns.

    DistributedDataParallel reduces every parameter at every backward, and refuses parameters that a turn
    leaves out. Here the module stays unwrapped and `GAN` averages the gradients of the player that moves:
    half the traffic, and right under gradient penalties too.

    Args:
        command: starts another process of the same run, where no cluster has started them all; it gets its number as
            LOCAL_RANK in its environment.
        more: arguments of DDPStrategy.
    """

    def __init__(self, command: Sequence[str] = (), **more: Any) -> None:
        super().__init__(**more)
        self.command = command

    def _configure_launcher(self) -> None:
        assert self.cluster_environment is not None
        self._launcher = Launcher(self.command, self.cluster_environment, self.num_processes, self.num_nodes)

    def configure_ddp(self) -> None:
        """Instead of wrapping the module, gives every process the first one's weights."""
        assert self.model is not None
        for tensor in self.model.state_dict().values():
            dist.broadcast(tensor, src=0)

    def setup(self, trainer: Trainer) -> None:
        super().setup(trainer)
        # Lightning would broadcast a flag before every batch; `GracefulStop` does it without waiting.
        trainer.fit_loop.epoch_loop._broadcast_sigterm_tensor = lambda: None  # type: ignore[method-assign]


def leave_process_group(trainer: Trainer) -> None:
    """Lets the next run of this process form a group of its own."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
    launcher: Any = trainer.strategy.launcher
    if getattr(launcher, "procs", None):  # we started the others
        launcher.leave()
