"""Images per second of recipe 1 (MLP GAN on MNIST, batch 64): train.py against hand-written loops.

    python benchmarks/step_overhead.py --root ../shared/data

(a) a tutorial's loop: torchvision transforms image by image, a DataLoader, default Adam
(b) the best plain loop we can write: data in memory, fused Adam, no gradients for the player that rests
(c) train.py as users start it, with logging, sample grids and the final checkpoint

The three take turns, each in a process of its own, and the median of the rounds counts. Start-up (imports,
reading the data) is left out of all three.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torchvision import datasets, transforms

PROJECT = Path(__file__).resolve().parent.parent
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


def tutorial_loop(root: str, batches: int) -> float:
    generator, discriminator = networks()
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize([0.5], [0.5])])
    mnist = datasets.MNIST(root, transform=transform)
    loader = torch.utils.data.DataLoader(mnist, BATCH, shuffle=True)
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    def step(images: Tensor) -> None:
        real = images.view(BATCH, -1)
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

    return timed(step, (images for images, _ in loader if len(images) == BATCH), batches)


def plain_loop(root: str, batches: int) -> float:
    generator, discriminator = networks()
    g_optimizer = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    d_optimizer = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999), fused=True)
    data = datasets.MNIST(root).data.view(-1, 784)
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    def order() -> Iterator[Tensor]:
        while True:
            yield from torch.randperm(len(data)).split(BATCH)[: len(data) // BATCH]

    def step(indices: Tensor) -> None:
        real = data[indices].float().div_(127.5).sub_(1)
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

    return timed(step, order(), batches)


def timed(step: Callable[[Tensor], None], stream: Iterator[Tensor], batches: int) -> float:
    """Images per second over `batches` steps, after 20 to warm up."""
    for _ in range(20):
        step(next(stream))
    start = time.perf_counter()
    for _ in range(batches):
        step(next(stream))
    return batches * BATCH / (time.perf_counter() - start)


def framework(root: str, batches: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        options = ["experiment=vanilla_mnist", f"data.root={root}", f"trainer.max_steps={batches}"]
        command = [sys.executable, "train.py", *options, "trainer=cpu", f"hydra.run.dir={folder}/run"]
        subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
        return json.loads(Path(folder, "run", "summary.json").read_text())["images_per_second"]


LOOPS: dict[str, Callable[[str, int], float]] = {"a": tutorial_loop, "b": plain_loop, "c": framework}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="the folder with MNIST/raw")
    parser.add_argument("--batches", type=int, default=900, help="per measurement; below one epoch's 937")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=LOOPS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    root = str(Path(options.root).absolute())
    if options.only:
        print(LOOPS[options.only](root, options.batches))
        return
    speeds: dict[str, list[float]] = {name: [] for name in LOOPS}
    for _ in range(options.rounds):
        for name, measured in speeds.items():
            command = [
                sys.executable,
                __file__,
                "--root",
                root,
                "--batches",
                str(options.batches),
                "--only",
                name,
            ]
            measured.append(float(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
            print(f"({name}) {measured[-1]:8,.0f} images/s", flush=True)
    a, b, c = (statistics.median(speeds[name]) for name in "abc")
    print(f"medians: a {a:,.0f}, b {b:,.0f}, c {c:,.0f} images/s; c/a {c / a:.2f}, c/b {c / b:.2f}")


if __name__ == "__main__":
    main()
