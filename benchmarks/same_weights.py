"""Do two checkouts train the same weights? `python benchmarks/same_weights.py OTHER --data ROOT`.

Every `model=` with its own network and every `experiment=`, 20 batches from seed 0, on one thread, in each checkout;
then every tensor of the networks in `last.ckpt` (raw and averaged) is compared bit for bit.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

import torch

HERE = Path(__file__).resolve().parent.parent
OWN_NETWORK = {"began": ("network=began",), "density_matching": ("data=gaussian_1d", "network=scalar")}
"""What a model needs beside itself, where its YAML does not choose it."""
NEEDS_MNIST = ("vanilla_mnist", "vanilla_small_mnist", "dcgan_mnist")


def cases(checkout: Path, data: str) -> dict[str, list[str]]:
    """The overrides of each run, by its name, as the checkout's `conf/` lists them."""
    found = {
        f"model={path.stem}": [f"model={path.stem}", *OWN_NETWORK.get(path.stem, ())]
        for path in sorted(checkout.glob("conf/model/*.yaml"))
    }
    for path in sorted(checkout.glob("conf/experiment/*.yaml")):
        root = [f"data.root={data}"] if path.stem in NEEDS_MNIST else []
        found[f"experiment={path.stem}"] = [f"experiment={path.stem}", *root]
    return found


def train(checkout: Path, overrides: list[str], folder: Path) -> None:
    """One run of 20 batches; kept where it is there already."""
    if (folder / "checkpoints" / "last.ckpt").exists():
        return
    command = [sys.executable, "train.py", *overrides, "seed=0", "trainer.max_steps=20", "trainer.accelerator=cpu"]
    result = subprocess.run(
        [*command, f"hydra.run.dir={folder}"],
        cwd=checkout,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(checkout)},
        capture_output=True,
        text=True,
    )
    if result.returncode:
        raise RuntimeError(f"{checkout}: {' '.join(overrides)}: {result.stderr[-2000:]}")


def networks(folder: Path) -> list[tuple[str, torch.Tensor]]:
    """The tensors of both networks and of the average, in the order of the state."""
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return [(name, tensor) for name, tensor in state.items() if name.startswith(("generator", "discriminator"))]


def difference(here: Path, there: Path) -> float | None:
    """The largest absolute difference of the two runs' weights; None where their tensors do not correspond."""
    ours, theirs = networks(here), networks(there)
    if [tensor.shape for _, tensor in ours] != [tensor.shape for _, tensor in theirs]:
        return None
    if all(torch.equal(a, b) for (_, a), (_, b) in zip(ours, theirs, strict=True)):
        return 0.0
    return max(float((a.double() - b.double()).abs().max()) for (_, a), (_, b) in zip(ours, theirs, strict=True))


def main() -> None:
    """Prints a line a case, and how many are equal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, help="another checkout")
    parser.add_argument("--data", default="data", help="the folder that holds MNIST/raw")
    parser.add_argument("--out", type=Path, default=Path("logs/same_weights"), help="runs that lie here are kept")
    parser.add_argument("--only", default="", help="part of the names of the cases to run")
    options = parser.parse_args()
    other, equal, count = options.other.resolve(), 0, 0
    for name, overrides in cases(other, str(Path(options.data).resolve())).items():
        if options.only not in name:
            continue
        folders = [options.out.absolute() / side / name.replace("=", "_") for side in ("here", "there")]
        try:
            for checkout, folder in zip((HERE, other), folders, strict=True):
                train(checkout, overrides, folder)
            found = difference(*folders)
        except RuntimeError as error:
            print(f"{name:40} {error}", flush=True)
            found = None
        count += 1
        equal += found == 0.0
        print(f"{name:40} {'equal' if found == 0.0 else f'largest difference {found}'}", flush=True)
    print(f"{equal} of {count} equal")


if __name__ == "__main__":
    main()
