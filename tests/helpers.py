"""Callbacks and networks that the tests name in configurations."""

import json
import os
import signal
from pathlib import Path

import torch
from lightning import Callback
from torch import nn


class KillAt(Callback):
    """Sends this process a signal at the end of a batch, on one rank."""

    def __init__(self, step: int, number: int = signal.SIGKILL, rank: int = 0) -> None:
        self.step, self.number, self.rank = step, number, rank

    def on_train_batch_end(self, trainer, *_) -> None:
        if trainer.global_step == self.step and trainer.global_rank == self.rank:
            os.kill(os.getpid(), self.number)


class LossLog(Callback):
    """Appends the exact loss terms of every batch to a file, a line a batch, one file a process."""

    def __init__(self, path: str) -> None:
        self.path = path

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        terms = {f"{player}_{name}": value.item().hex() for player, terms in pl_module.terms.items() for name, value in terms.items()}
        with Path(f"{self.path}.{trainer.global_rank}").open("a") as file:
            file.write(json.dumps({"step": trainer.global_step} | terms) + "\n")


class DropoutDiscriminator(nn.Module):
    """A discriminator that draws from torch's global generator."""

    def __init__(self, image_shape: list[int]) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Flatten(), nn.Linear(784, 16), nn.Dropout(0.5), nn.Linear(16, 1))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.layers(image).squeeze(1)


class ExplodingDiscriminator(DropoutDiscriminator):
    """Turns to infinity at its n-th call."""

    def __init__(self, image_shape: list[int], call: int) -> None:
        super().__init__(image_shape)
        self.calls, self.call = 0, call

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return super().forward(image) / (1.0 if self.calls < self.call else 0.0)
