"""Which settings of the one-dimensional GAN match N(4, 0.5), and which collapse; over seeds, as a Markdown table.

python benchmarks/gaussian_1d.py --seeds 5
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import lightning
import numpy as np
import torch
from hydra import compose, initialize_config_dir
from scipy.stats import norm, wasserstein_distance
from tqdm import tqdm

from gan_lightning.config import check, resolvers
from gan_lightning.config.instantiate import build

CONF = Path(__file__).resolve().parent.parent / "conf"
SETTINGS = {
    f"{'minibatch discrimination' if minibatch else 'plain'}, "
    f"{'pretrained' if pretrain else 'not pretrained'}, batch {batch}": (
        "experiment=gaussian_1d",
        f"network.discriminator.minibatch={minibatch}",
        f"model.pretrain_steps={pretrain}",
        f"data.batch_size={batch}",
    )
    for minibatch, pretrain, batch in itertools.product((False, True), (1000, 0), (12, 64))
} | {"`experiment=gaussian_1d_matched`": ("experiment=gaussian_1d_matched",)}


def generated(overrides: tuple[str, ...], seed: int, count: int = 10_000) -> np.ndarray:
    """Samples of a generator that was trained as the experiment says."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        composed = compose("config", [*overrides, f"seed={seed}", "trainer=cpu", "name=gaussian", "run_dir=unused"])
    checked = check.check(composed)
    lightning.seed_everything(seed, verbose=False)
    data, model = build(checked, "data"), build(checked, "model")
    trainer = lightning.Trainer(
        max_steps=checked["trainer"]["max_steps"],
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
    )
    trainer.fit(model, data)
    return torch.cat(list(model.samples(count, seed=0, raw=True))).squeeze(1).numpy()


def errors(samples: np.ndarray) -> tuple[float, float, float]:
    """|mean - 4|, |std - 0.5|, and the Wasserstein distance to N(4, 0.5)."""
    quantiles = norm.ppf((np.arange(len(samples)) + 0.5) / len(samples), 4.0, 0.5)
    return abs(samples.mean() - 4), abs(samples.std() - 0.5), wasserstein_distance(samples, quantiles)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", default="", help="settings whose name holds this")
    options = parser.parse_args()
    resolvers.register_resolvers()
    torch.set_num_threads(1)
    settings = {name: overrides for name, overrides in SETTINGS.items() if options.only in name}
    bar = tqdm(total=len(settings) * options.seeds, unit="run")
    lines = []
    for name, overrides in settings.items():
        runs = []
        for seed in range(options.seeds):
            runs.append(errors(generated(overrides, seed)))
            bar.update()
        cells = (f"{np.median(column):.2f} (to {max(column):.2f})" for column in zip(*runs, strict=True))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    bar.close()
    print(f"Median over {options.seeds} seeds (to the worst):\n")
    print("| setting | abs(mean - 4) | abs(std - 0.5) | Wasserstein distance |\n| --- | --- | --- | --- |")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
