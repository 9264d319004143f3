"""Data parallelism of a GAN: starts the processes. `GANStep.update` averages the gradients, once per phase."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch.distributed as dist
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy

from gan_lightning._compat.lightning import skip_sigterm_broadcast
from gan_lightning.distributed.cluster import PATIENCE
from gan_lightning.distributed.launcher import Launcher
from gan_lightning.distributed.loaders import share_loader


class GANStrategy(DDPStrategy):
    """Data parallelism for a module whose networks are updated in turn.

    DistributedDataParallel reduces all gradients in every backward pass, and raises if a parameter has none. Here the
    module is not wrapped, and `GAN` averages the gradients of the players that it updates. That halves the traffic,
    and is also correct with gradient penalties.

    Args:
        command: The command that starts another process of this run, unless a cluster starts all of them. An empty
            command stands for the one that started this process.
        store: The store in which the processes of a cluster meet; None: the one that torch would open.
        more: The arguments of DDPStrategy.
    """

    def __init__(self, command: Sequence[str] = (), store: dist.Store | None = None, **more: Any) -> None:
        super().__init__(**more)
        self.command = command
        self.store = store

    @cached_property
    def launcher(self) -> Launcher:  # type: ignore[override]
        """The launcher of the other processes; Lightning reads this attribute."""
        assert self.cluster_environment is not None
        return Launcher(self.command, self.cluster_environment, self.num_processes, self.num_nodes)

    def setup_distributed(self) -> None:
        """Joins the process group, once all processes of this node are ready."""
        self.launcher.meet()
        if self.store is not None:
            dist.init_process_group(
                self.process_group_backend or dist.get_default_backend_for_device(self.root_device),
                store=self.store,
                rank=self.node_rank * self.num_processes + self.local_rank,
                world_size=self.num_nodes * self.num_processes,
                timeout=PATIENCE,
                device_id=None if self.root_device.type == "cpu" else self.root_device,
            )
        super().setup_distributed()

    def configure_ddp(self) -> None:
        """Broadcasts the weights of rank 0 to all processes, and does not wrap the module."""
        assert self.model is not None
        for tensor in self.model.state_dict().values():
            dist.broadcast(tensor, src=0)

    def process_dataloader(self, dataloader: Any) -> Any:
        """Restricts a loader to this process's part of the samples; Lightning calls this for every loader.

        Raises:
            UserError: The loader cannot be distributed.
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
    """Ends the process group and the processes, so that the next run in this process can start its own."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
    launcher: Any = trainer.strategy.launcher
    if getattr(launcher, "procs", None):  # this process has started the others
        launcher.wait_for_processes()
