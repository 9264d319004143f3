"""The CPU time of `gan-results` on many runs, when it first reads them and again, and the size of its page."""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

import gan_lightning

RATES = [round(1e-5 * 1.3**power, 9) for power in range(20)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000, help="run folders (default: 1000)")
    parser.add_argument("--batches", type=int, default=200, help="batches of a run, all logged (default: 200)")
    parser.add_argument("--grids", type=int, default=4, help="sample grids of a run (default: 4)")
    parser.add_argument("--size", type=int, default=32, help="pixels of an image's side (default: 32)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        run = train(Path(place, "run"), options.batches, options.grids, options.size)
        sweep = Path(place, "sweep")
        for number in range(options.runs):
            copy(run, sweep / f"lr={RATES[number % len(RATES)]},seed={number}", RATES[number % len(RATES)], number)
        os.environ["GAN_LIGHTNING_CACHE"] = str(Path(place, "cache"))
        print("gan-results   CPU seconds   page in MB")
        for title in ("first", "again"):
            seconds = results(sweep)
            print(f"{title:12}  {seconds:11.1f}   {(sweep / 'results.html').stat().st_size / 1e6:10.1f}")


def train(folder: Path, batches: int, grids: int, size: int) -> Path:
    """Trains one small run."""
    overrides = ["trainer.log_every_n_steps=1", f"callbacks.samples.every_n_steps={max(1, batches // grids)}"]
    shape = f"data.image_shape=[1,{size},{size}]"
    gan_lightning.train([f"hydra.run.dir={folder}", f"trainer.max_steps={batches}", shape, *overrides])
    return folder


def copy(run: Path, folder: Path, rate: float, seed: int) -> None:
    """Makes a run folder like `run`, with another learning rate and seed; large files are linked."""
    for path in run.rglob("*"):
        target = folder / path.relative_to(run)
        target.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix in (".png", ".0"):  # sample grids and TensorBoard's files
            target.hardlink_to(path)
        elif path.suffix in (".yaml", ".json"):
            shutil.copy(path, target)
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config["seed"], config["model"]["optimizer"]["lr"] = seed, rate
    (folder / "config.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    (folder / ".hydra/overrides.yaml").write_text(yaml.safe_dump([f"model.optimizer.lr={rate}", f"seed={seed}"]))


def results(sweep: Path) -> float:
    """Runs gan-results and returns its CPU time in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "gan_lightning.cli.results", str(sweep)], check=True, stdout=subprocess.DEVNULL
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
