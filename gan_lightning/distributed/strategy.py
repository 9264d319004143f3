"""Data parallelism of a GAN: one gradient all-reduce per optimizer step."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch.distributed as dist
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy

from gan_lightning._compat.lightning import skip_sigterm_broadcast
from gan_lightning.distributed.launcher import Launcher
from gan_lightning.distributed.loaders import share_loader


class GANStrategy(DDPStrategy):
    """Data parallelism for a module of several networks that take turns.

    DistributedDataParallel reduces every parameter at every backward, and refuses parameters that a turn
    leaves out. Here the module stays unwrapped and `GAN` averages the gradients of the player that moves:
    half the traffic, and right under gradient penalties too.

    Args:
        command: The command of another process of the same run, where no cluster has started them all. An empty one
            stands for the command that started this process.
        more: Arguments of DDPStrategy.
    """

    def __init__(self, command: Sequence[str] = (), **more: Any) -> None:
        super().__init__(**more)
        self.command = command

    @cached_property
    def launcher(self) -> Launcher:  # type: ignore[override]
        """What starts the other processes; Lightning asks for it by this name."""
        assert self.cluster_environment is not None
        return Launcher(self.command, self.cluster_environment, self.num_processes, self.num_nodes)

    def configure_ddp(self) -> None:
        """Instead of wrapping the module, gives every process the first one's weights."""
        assert self.model is not None
        for tensor in self.model.state_dict().values():
            dist.broadcast(tensor, src=0)

    def process_dataloader(self, dataloader: Any) -> Any:
        """Lightning hands every loader through here: each process is to read its own part of the samples.

        Raises:
            UserError: of a loader that is not ours nobody can tell how to share it.
        """
        world_size = self.num_nodes * self.num_processes
        if world_size > 1:
            rank = self.node_rank * self.num_processes + self.local_rank
            share_loader(dataloader, world_size, rank, seed=int(os.environ.get("PL_GLOBAL_SEED", "0")))
        return dataloader

    def setup(self, trainer: Trainer) -> None:
        super().setup(trainer)
        skip_sigterm_broadcast(trainer)


def leave_process_group(trainer: Trainer) -> None:
    """Lets the next run of this process form a group of its own."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
    launcher: Any = trainer.strategy.launcher
    if getattr(launcher, "procs", None):  # we started the others
        launcher.leave()
