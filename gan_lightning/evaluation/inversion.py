"""Inversion: the latents whose samples are nearest to given pictures, found by optimization."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate
from tqdm.auto import tqdm

from gan_lightning.config.allowlist import locate
from gan_lightning.errors import UserError
from gan_lightning.evaluation.classifier import WEIGHTS, read
from gan_lightning.models import GAN
from gan_lightning.models.latents import is_style_based, styles_of
from gan_lightning.models.rebuild import Checkpoint

MEAN_OF = 4096
"""The number of latents whose mean style is the start, where the generator's `w_mean` has not moved."""
SIDE = 28
"""The height and width of the pictures that the bundled classifiers see."""
RAMP_DOWN, RAMP_UP = 0.25, 0.05
"""The parts of all steps in which the learning rate falls, by a cosine, and rises: Karras et al. 2020, appendix D."""

Features = Callable[[Tensor], Tensor]
"""From images (batch, channels, height, width) in [-1, 1] to features (batch, dimensions)."""
Losses = Callable[[Tensor], Tensor]
"""From latents (batch, width) to the loss of each, (batch,)."""


class Inverted(NamedTuple):
    """What an inversion has found.

    Attributes:
        latents: z (num, latent_dim), or w (num, w_dim) of a style-based generator.
        images: Their samples, in [-1, 1].
        mse: The mean squared error of each picture's pixels, (num,), in units of [-1, 1].
        losses: The loss of each picture in each step, (steps, num).
        styles: Whether the latents are styles w.
    """

    latents: Float[Tensor, "num width"]
    images: Float[Tensor, "num channels height width"]
    mse: Float[Tensor, " num"]
    losses: Float[Tensor, "steps num"]
    styles: bool


def invert(
    model: GAN,
    pictures: Float[Tensor, "num channels height width"],
    condition: Float[Tensor, "num condition"] | None = None,
    *,
    steps: int = 500,
    starts: int = 16,
    lr: float = 0.1,
    features: Features | None = None,
    feature_weight: float = 1.0,
    seed: int = 0,
    raw: bool = False,
) -> Inverted:
    """Searches, for each picture, the latents of the sample that is nearest to it: Zhu et al. 2016 (arXiv:1609.03552).

        min over z  mean |G(z) - x|^2 + feature_weight * mean |f(G(z)) - f(x)|^2 / mean |f(x)|^2

    Adam moves the latents of `model.BLOCK` pictures at a time, for the memory; no picture depends on the others.
    z starts at the best of `starts` random ones, w at its mean.

    Args:
        model: A trained model, in eval mode.
        pictures: The pictures, in [-1, 1].
        condition: Their condition vectors, for a conditional model.
        steps: The number of steps.
        starts: The number of random z from which the best is the start.
        lr: The largest learning rate.
        features: f; None: there are no features in the loss.
        feature_weight: The weight of their part.
        seed: The seed of the random latents.
        raw: Whether to use the last weights instead of their average (EMA).

    Raises:
        FloatingPointError: A sample is not finite.
    """
    generator: Any = model.sampled_generator(raw)
    place: Any = {"device": model.device, "dtype": model.dtype}
    styles, found, curves = is_style_based(generator), [], []
    blocks = range(0, len(pictures), model.BLOCK)
    with tqdm(total=steps * len(blocks), desc="inverting", unit="step", leave=False, disable=None) as bar:
        for first in blocks:
            block = slice(first, first + model.BLOCK)
            targets = pictures[block].to(**place)
            conditions = None if condition is None else condition[block].to(targets)
            losses = _losses(generator, targets, conditions, features, feature_weight)
            if styles:
                start = _mean_style(model, generator, conditions, raw, len(targets)).to(targets)
            else:
                start = _best(model.fixed_z(starts, seed).to(targets), losses, len(targets))
            latents, curve = _descend(start, losses, steps, lr, bar)
            found.append(latents.cpu())
            curves.append(curve)
    latents = torch.cat(found)
    images = torch.cat([block.cpu() for block in model.generate(latents, condition, raw, styles)])
    mse = (images - pictures.to(images)).square().flatten(1).mean(1)
    return Inverted(latents, images, mse, torch.cat(curves, 1), styles)


def _losses(
    generator: Any, targets: Tensor, condition: Tensor | None, features: Features | None, weight: float
) -> Losses:
    """Returns the function to minimize."""
    wanted = None if features is None else features(targets)

    def losses(latents: Tensor) -> Tensor:
        images = generator.synthesize(latents) if is_style_based(generator) else generator(latents, condition)
        found = (images - targets).square().flatten(1).mean(1)
        if features is None or wanted is None:
            return found
        scale = wanted.square().mean(1).clamp_min(1e-8)
        return found + weight * (features(images) - wanted).square().mean(1) / scale

    return losses


def _best(candidates: Tensor, losses: Losses, num: int) -> Tensor:
    """Returns, for each of `num` pictures, the candidate with the least loss."""
    with torch.no_grad():
        found = torch.stack([losses(z.expand(num, -1)) for z in candidates])
    return candidates[found.argmin(0)]


def _descend(start: Tensor, losses: Losses, steps: int, lr: float, bar: tqdm) -> tuple[Tensor, Tensor]:
    """Moves latents by Adam; returns them, and the loss of each in each step, (steps, num)."""
    latents = start.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([latents], lr=lr)
    curve = []
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * _ramp((step + 1) / steps)
        loss = losses(latents)
        curve.append(loss.detach().cpu())
        (latents.grad,) = torch.autograd.grad(loss.sum(), latents)
        optimizer.step()
        bar.update()
    return latents.detach(), torch.stack(curve)


def _ramp(position: float) -> float:
    """The factor of the learning rate at a position from 0 to 1."""
    down = min(1.0, (1 - position) / RAMP_DOWN)
    return (0.5 - 0.5 * math.cos(math.pi * down)) * min(1.0, position / RAMP_UP)


def _mean_style(model: GAN, generator: Any, condition: Tensor | None, raw: bool, num: int) -> Tensor:
    """Returns the mean style, (num, w_dim), of each picture's condition if there is one."""
    z = model.fixed_z(MEAN_OF, seed=0)
    if condition is not None:
        distinct, places = condition.unique(dim=0, return_inverse=True)
        means = [styles_of(model, z, each.expand(len(z), -1), raw).mean(0) for each in distinct]
        return torch.stack(means)[places.cpu()]
    mean = generator.w_mean if generator.w_mean.any() else styles_of(model, z, None, raw).mean(0)
    return mean.expand(num, -1)


def features_of(saved: Checkpoint, channels: int) -> nn.Module | None:
    """Returns the features of the bundled classifier of the data that a checkpoint was trained on; None: there is none.

    The data is not loaded.
    """
    spec = saved.get("data")
    try:
        data: Any = locate(spec["_target_"], "data") if isinstance(spec, dict) else None
    except (KeyError, LookupError, PermissionError):
        return None
    name = getattr(data, "classifier", None)
    if name is None or data.stacked:
        return None
    network = read(WEIGHTS / f"{name}.safetensors")
    return _ClassifierFeatures(network.features) if network.channels == channels else None


class _ClassifierFeatures(nn.Module):
    """The features of a classifier, of images in [-1, 1] of any size."""

    def __init__(self, features: nn.Module) -> None:
        super().__init__()
        self.features = features

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch dimensions"]:
        if images.shape[2:] != (SIDE, SIDE):
            images = interpolate(images, (SIDE, SIDE), mode="bilinear", antialias=True)
        return self.features(images.float()).to(images.dtype)


def require_images(model: GAN) -> tuple[int, ...]:
    """Returns the shape (channels, height, width) of a model's samples.

    Raises:
        UserError: They are no images.
    """
    shape = next(model.sample_blocks(1, seed=0)).shape[1:]
    if len(shape) != 3:
        raise UserError(f"the samples of this model have the shape {tuple(shape)}: expected images")
    return tuple(shape)
