"""Images per second of recipe 1 (MLP GAN on MNIST, batch 64): train.py against hand-written loops.

    python benchmarks/step_overhead.py --root path/to/data

(a) a tutorial's loop: torchvision transforms image by image, a DataLoader, default Adam
(b) the best plain loop we can write: data in memory, fused Adam, no gradients for the player that rests
and train.py as users start it, with its logging, sample grids, progress bar and checkpoints

All three take turns in one process, some dozens of batches each. Left out is what happens once: imports, reading the
data, the first turn.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator
from pathlib import Path

import torch
from lightning import LightningModule, Trainer
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torchvision import datasets, transforms
from turns import Loop, Turns, train_in_turns

BATCH = 64


def networks() -> tuple[nn.Module, nn.Module]:
    widths = [100, 128, 256, 512, 1024]
    layers: list[nn.Module] = []
    for index, (width_in, width_out) in enumerate(itertools.pairwise(widths)):
        layers.append(nn.Linear(width_in, width_out))
        if index:
            layers.append(nn.BatchNorm1d(width_out, 0.8))
        layers.append(nn.LeakyReLU(0.2, inplace=True))
    generator = nn.Sequential(*layers, nn.Linear(1024, 784), nn.Tanh())
    discriminator = nn.Sequential(
        *(nn.Linear(784, 512), nn.LeakyReLU(0.2, inplace=True)),
        *(nn.Linear(512, 256), nn.LeakyReLU(0.2, inplace=True)),
        nn.Linear(256, 1),
    )
    return generator, discriminator


def tutorial_loop(root: str) -> Loop:
    generator, discriminator = networks()
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
    mnist = datasets.MNIST(root, transform=transform)
    loader = torch.utils.data.DataLoader(mnist, BATCH, shuffle=True)
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    def batches() -> Iterator[Tensor]:
        while True:
            yield from (images for images, _ in loader if len(images) == BATCH)

    stream = batches()

    def step() -> None:
        real = next(stream).view(BATCH, -1)
        fake = generator(torch.randn(BATCH, 100))
        d_loss = bce(discriminator(real), ones) + bce(discriminator(fake.detach()), zeros)
        d_optimizer.zero_grad()
        d_loss.backward()
        d_optimizer.step()
        g_loss = bce(discriminator(generator(torch.randn(BATCH, 100))), ones)
        g_optimizer.zero_grad()
        g_loss.backward()
        g_optimizer.step()
        d_loss.item(), g_loss.item()

    return step


def plain_loop(root: str) -> Loop:
    generator, discriminator = networks()
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    data = datasets.MNIST(root).data.view(-1, 784)
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    def order() -> Iterator[Tensor]:
        while True:
            yield from torch.randperm(len(data)).split(BATCH)[: len(data) // BATCH]

    stream = order()

    def step() -> None:
        real = data.index_select(0, next(stream)).float().div_(127.5).sub_(1)
        discriminator.requires_grad_(True)
        with torch.no_grad():
            fake = generator(torch.randn(BATCH, 100))
        d_optimizer.zero_grad()
        (bce(discriminator(real), ones) + bce(discriminator(fake), zeros)).backward()
        d_optimizer.step()
        discriminator.requires_grad_(False)
        g_optimizer.zero_grad()
        bce(discriminator(generator(torch.randn(BATCH, 100))), ones).backward()
        g_optimizer.step()

    return step


class Recipe1(Turns):
    """Recipe 1 beside loops (a) and (b).

    Args:
        root: the folder with MNIST/raw.
        block: batches in a turn.
    """

    def __init__(self, root: str, block: int) -> None:
        super().__init__(block)
        self.root = root

    def build_loops(self, trainer: Trainer, model: LightningModule) -> dict[str, Loop]:
        return {"a": tutorial_loop(self.root), "b": plain_loop(self.root)}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        print("\n".join(self.report(BATCH)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="the folder with MNIST/raw")
    parser.add_argument("--block", type=int, default=50, help="batches in a turn")
    parser.add_argument("--turns", type=int, default=40)
    options = parser.parse_args()
    root = Path(options.root).absolute()
    recipe = f"step_overhead.Recipe1{{root:'{root}'}}"
    run = ("trainer=cpu", "experiment=vanilla_mnist", f"data.root={root}")
    train_in_turns(recipe, options.block, options.turns, *run)


if __name__ == "__main__":
    main()
