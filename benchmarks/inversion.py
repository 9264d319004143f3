"""Can a GAN draw digits that it has not seen? Errors of `gan-invert` beside those of the nearest training images.

python benchmarks/inversion.py RUN --root path/to/data --picture inversion.png      # any run on MNIST, without labels
Two test images of each class are inverted; the errors are mean squares of pixels in [-1, 1]. The last column is the
mean norm of the latents, which is about the root of their number for random z.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from tables import head, row
from torch import Tensor
from torchvision.transforms.functional import to_pil_image

from gan_lightning.data import MNIST
from gan_lightning.data.images import to_uint8, to_unit_range
from gan_lightning.evaluation import inversion, memorization
from gan_lightning.models import GAN
from gan_lightning.models.rebuild import rebuild
from gan_lightning.training import checkpoint
from gan_lightning.visualization import grids

CLASSES, EACH = 10, 2


def held_out(data: MNIST) -> Tensor:
    """The first test images of each class, in the order of the classes."""
    images, labels = data.split("test")
    return torch.cat([images[labels == number][:EACH] for number in range(CLASSES)])


def errors(images: Tensor, pictures: Tensor) -> list[float]:
    return (images - pictures).square().flatten(1).mean(1).tolist()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--root", default="data", help="holds MNIST/raw/")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--picture", type=Path, help="where to write rows of digits, their samples and their neighbors")
    options = parser.parse_args()
    path = checkpoint.locate(options.run)
    saved = checkpoint.read(path)
    model: GAN = rebuild(saved, path).eval()
    shape = inversion.require_images(model)
    data = MNIST(root=options.root, image_shape=shape, condition_dim=CLASSES)
    digits, train = held_out(data), data.split("train")[0]
    pictures = to_unit_range(digits)
    features = inversion.features_of(saved, shape[0])
    near = to_unit_range(train[memorization.nearest(digits, train)[1]])
    rows = {
        "pixels and features": inversion.invert(model, pictures, steps=options.steps, features=features),
        "pixels alone": inversion.invert(model, pictures, steps=options.steps),
    }
    shown = {title: to_unit_range(to_uint8(found.images)) for title, found in rows.items()}
    shown["nearest training image"] = near
    norms = [f"{found.latents.norm(dim=1).mean():.3g}" for found in rows.values()]
    print(head(["", *map(str, range(CLASSES)), "mean", "norm"]))
    for (title, images), norm in zip(shown.items(), [*norms, ""], strict=True):
        found = errors(images, pictures)
        cells = [", ".join(f"{mse:.3f}" for mse in found[first : first + EACH]) for first in range(0, len(found), EACH)]
        print(row([title, *cells, f"{sum(found) / len(found):.3f}", norm]))
    if options.picture:
        captions = [title for title in ("digit", *shown) for _ in digits]
        whole = grids.grid(torch.cat([pictures, *shown.values()]), len(digits), captions)
        to_pil_image(whole).save(options.picture, optimize=True)


if __name__ == "__main__":
    main()
