"""Do the metrics see what people see? Real MNIST, damaged in four ways, against the test images.

python benchmarks/corruptions.py --root path/to/data --out docs/corruptions.png
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from matplotlib.axes import Axes
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur, to_pil_image

from gan_lightning import rng
from gan_lightning.data import MNIST
from gan_lightning.evaluation import Classifier
from gan_lightning.evaluation.reference import Reference
from gan_lightning.visualization import grids

Damage = Callable[[Tensor, Tensor, float], Tensor]


def noise(images: Tensor, labels: Tensor, deviation: float) -> Tensor:
    """Normal noise of so many gray levels."""
    drawn = torch.randn(images.shape, generator=rng.generator("noise"))
    return (images + deviation * drawn).round().clamp(0, 255).to(torch.uint8)


def blur(images: Tensor, labels: Tensor, sigma: float) -> Tensor:
    """A Gaussian blur of so many pixels."""
    return gaussian_blur(images, 9, sigma)


def dropped(images: Tensor, labels: Tensor, classes: float) -> Tensor:
    """Without the first so many classes; the others fill up."""
    rest = images[labels >= classes]
    return rest[torch.arange(len(images)) % len(rest)]


def copies(images: Tensor, labels: Tensor, share: float) -> Tensor:
    """The same few images again and again: all but `share` of them are copies."""
    return images[torch.arange(len(images)) % max(1, round(len(images) * (1 - share)))]


CORRUPTIONS: dict[str, tuple[Damage, tuple[float, ...], str]] = {
    "noise": (noise, (10, 25, 50, 100), "standard deviation, of 255"),
    "blur": (blur, (0.5, 0.75, 1, 1.5), "sigma, pixels"),
    "dropped classes": (dropped, (1, 2, 4, 8), "classes of 10"),
    "copies": (copies, (0.9, 0.98, 0.995, 0.999), "share of images that repeat others"),
}


def measured(data: MNIST, num: int) -> dict[str, list[dict[str, float]]]:
    """For each corruption the metrics at strength none and at its four, of `num` training images."""
    reference = Reference(Classifier(), data, "test")
    images, labels = (part[:num] for part in data.split("train"))
    intact = reference.metrics(reference.extractor(images), seed=0)
    return {
        name: [
            intact,
            *(reference.metrics(reference.extractor(damage(images, labels, s)), seed=0) for s in strengths),
        ]
        for name, (damage, strengths, _) in CORRUPTIONS.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", default="data", help="holds MNIST/raw/")
    parser.add_argument("--num", type=int, default=10_000)
    parser.add_argument("--out", type=Path, help="a PNG")
    options = parser.parse_args()
    found = measured(MNIST([1, 28, 28], root=options.root, download=False), options.num)
    for name, (_, strengths, unit) in CORRUPTIONS.items():
        print(f"{name} ({unit})")
        for strength, row in zip((0, *strengths), found[name], strict=True):
            print(f"  {strength:<6g}", "  ".join(f"{metric} {value:.4g}" for metric, value in row.items()))
    if options.out:
        to_pil_image(torch.cat([_plot(found, metric) for metric in ("fid", "coverage")], 2)).save(options.out)


def _plot(found: dict[str, list[dict[str, float]]], metric: str) -> Tensor:
    def draw(axes: Axes) -> None:
        for (name, rows), (_, strengths, unit) in zip(found.items(), CORRUPTIONS.values(), strict=True):
            label = f"{name}: {', '.join(f'{s:g}' for s in strengths)} ({unit})"
            axes.plot(range(5), [row[metric] for row in rows], marker="o", label=label)
        axes.set(xticks=range(5), xticklabels=["intact", "1", "2", "3", "4"], xlabel="strength", ylabel=metric)
        if metric == "fid":
            axes.set_yscale("log")
            axes.legend(fontsize="small")

    return grids.plot(draw)


if __name__ == "__main__":
    main()
