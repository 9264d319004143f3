"""train.py on a GPU beside hand-written loops: recipe 1, DCGAN at 64x64, R3GAN at the paper's size.

    python benchmarks/gpu.py --root path/to/data

Nobody has run this on a GPU yet. `--accelerator cpu` runs the same lines for a few batches, without the graphed loop.

plain: the loop of `variant_steps.py` with the networks, data and optimizers on the device
graph: the same, captured in one CUDA graph, which is replayed for every batch
"""

from __future__ import annotations

import argparse
import copy
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import torch
from lightning import Trainer
from turns import PROJECT, Loop, Turns, train_in_turns
from variant_steps import LOSSES

R3GAN = tuple(
    f"network.{player}.{name}={value}"
    for player in ("generator", "discriminator")
    for name, value in (("channels", "[768,768,768,768]"), ("blocks", 2), ("group_width", 64))
)
DCGAN = (
    *("dcgan", "data=mnist", "model=dcgan", "network=dcgan", "data.image_shape=[3,64,64]", "data.limit=10000"),
    "network.generator.base_channels=64",
)
CASES = {
    "recipe 1": ("dcgan", "experiment=vanilla_mnist"),
    "DCGAN, 64x64": DCGAN,
    "DCGAN, 64x64, images on the host": (*DCGAN, "data.gpu_memory_fraction=0"),
    "R3GAN, the paper's 32x32": (
        *("r3gan", "data=mnist", "model=r3gan", "network=r3gan", "data.image_shape=[3,32,32]", "data.limit=10000"),
        *R3GAN,
    ),
}
"""The name of the losses in `variant_steps.LOSSES`, and the options of train.py."""


class HandWritten:
    """An alternating loop on copies of a model's networks, with all data on the device.

    Args:
        model: whose networks and optimizers are copied.
        losses: their name in `LOSSES`.
        images: the training images, uint8.
        batch_size: images in a batch.
    """

    def __init__(self, model: Any, losses: str, images: torch.Tensor, batch_size: int) -> None:
        self.d_loss, self.g_loss = LOSSES[losses]
        self.generator, self.discriminator = copy.deepcopy(model.generator), copy.deepcopy(model.discriminator)
        d_given, g_given = (dict(given.defaults) for given in model.trainer.optimizers)
        capturable = {"capturable": model.device.type == "cuda"}
        self.d_optimizer = torch.optim.Adam(self.discriminator.parameters(), **d_given | capturable)
        self.g_optimizer = torch.optim.Adam(self.generator.parameters(), **g_given | capturable)
        self.images = images.to(model.device)
        self.rows = torch.zeros(batch_size, dtype=torch.long, device=model.device)

    def latent(self) -> torch.Tensor:
        return torch.randn(len(self.rows), self.generator.latent_dim, device=self.rows.device)

    def step(self) -> None:
        self.rows.random_(0, len(self.images))
        self.update()

    def update(self) -> None:
        real = self.images.index_select(0, self.rows).float().div_(127.5).sub_(1)
        self.discriminator.requires_grad_(True)
        with torch.no_grad():
            fake = self.generator(self.latent())
        self.d_optimizer.zero_grad()
        self.d_loss(self.discriminator, real, fake).backward()
        self.d_optimizer.step()
        self.discriminator.requires_grad_(False)
        self.g_optimizer.zero_grad()
        self.g_loss(self.discriminator, self.generator(self.latent()), real).backward()
        self.g_optimizer.step()

    def graphed(self) -> Loop:
        """Captures `update` after a few ordinary ones, and returns a step that replays it."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.update()

        def step() -> None:
            self.rows.random_(0, len(self.images))
            graph.replay()

        return step


class Beside(Turns):
    """A case beside the hand-written loops.

    Args:
        losses: their name in `LOSSES`.
        block: batches in a turn.
    """

    def __init__(self, losses: str, block: int) -> None:
        super().__init__(block)
        self.losses = losses
        self.batch_size = 0

    def build_loops(self, trainer: Trainer, model: Any) -> dict[str, Loop]:
        data: Any = trainer.datamodule  # type: ignore[attr-defined]
        self.batch_size = data.batch_size
        images = data.split("train")[0]
        loops = {"plain": HandWritten(model, self.losses, images, self.batch_size).step}
        if model.device.type == "cuda":
            loops["graph"] = HandWritten(model, self.losses, images, self.batch_size).graphed()
        return loops

    def _lap(self, name: str) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        super()._lap(name)

    def on_train_end(self, trainer: Trainer, pl_module: Any) -> None:
        print("\n".join(self.report(self.batch_size)), flush=True)


def time_recipe(accelerator: str, root: Path, epochs: int) -> float:
    """Returns the seconds that recipe 1 trains, without its start, as its summary has them."""
    with tempfile.TemporaryDirectory() as folder:
        run = (f"trainer={accelerator}", "experiment=vanilla_mnist", f"data.root={root}", f"hydra.run.dir={folder}/run")
        command = [sys.executable, "train.py", *run, f"trainer.max_epochs={epochs}"]
        subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
        return json.loads(Path(folder, "run", "summary.json").read_text())["seconds"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="the folder with MNIST/raw")
    parser.add_argument("--accelerator", choices=("gpu", "cpu"), default="gpu")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--block", type=int, default=100, help="batches in a turn")
    parser.add_argument("--turns", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=50, help="epochs of recipe 1 that are timed; 0: none")
    options = parser.parse_args()
    root = Path(options.root).absolute()
    for name in options.cases:
        losses, *chosen = CASES[name]
        print(name, flush=True)
        run = (f"trainer={options.accelerator}", *chosen, f"data.root={root}", "callbacks.progress=null")
        train_in_turns(f"gpu.Beside{{losses:{losses}}}", options.block, options.turns, *run)
    if options.epochs:
        seconds = time_recipe(options.accelerator, root, options.epochs)
        print(f"recipe 1, {options.epochs} epochs: {seconds:.1f} s")


if __name__ == "__main__":
    main()
