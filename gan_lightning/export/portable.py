"""The network that an exported file holds: labels are encoded and pictures scaled inside of it."""

from __future__ import annotations

import copy
from importlib.metadata import version
from typing import Any

import torch
from jaxtyping import Float, Num
from torch import Tensor, nn

from gan_lightning.models import GAN
from gan_lightning.models.rebuild import Checkpoint

Inputs = tuple[Tensor, ...]
"""Latents (batch, latent_dim) and, of a conditional model, labels: class indices (batch,) or tags (batch, names)."""


class PortableGenerator(nn.Module):
    """z, labels -> truncation * z, condition -> generator -> pictures in [0, 1].

    Args:
        model: The trained model, which is copied.
        raw: Whether to take the last weights instead of their average (EMA).
        truncation: The factor of the latents.
    """

    classes: Tensor | None

    def __init__(self, model: GAN, raw: bool = False, truncation: float = 1.0) -> None:
        super().__init__()
        chosen = copy.deepcopy(model.sampled_generator(raw)).eval().requires_grad_(False)
        self.generator = chosen.to(memory_format=torch.contiguous_format)  # torch.export.save warns of channels_last
        self.truncation = truncation
        vocabulary = model.vocabulary
        classes = torch.arange(len(vocabulary.names)) if vocabulary and vocabulary.has_classes else None
        self.register_buffer("classes", classes)

    def forward(
        self, z: Float[Tensor, "batch latent"], labels: Num[Tensor, "batch ..."] | None = None
    ) -> Float[Tensor, "batch *sample"]:
        if labels is not None and self.classes is not None:
            labels = (labels[:, None] == self.classes).to(z.dtype)  # zeros, no label, for an index that is no class
        return to_pictures(self.generator(self.truncation * z, labels))


def to_pictures(samples: Float[Tensor, "batch *sample"]) -> Float[Tensor, "batch *sample"]:
    """Scales images from [-1, 1] to [0, 1]; returns points and numbers, whose range is open, as they are."""
    return samples.add(1).div(2).clamp(0, 1) if samples.ndim == 4 else samples


def example_inputs(model: GAN, count: int) -> Inputs:
    """Returns inputs of a `PortableGenerator`: latents of seed 0, and labels; the last class index is -1, no label."""
    z = model.fixed_z(count, seed=0)
    if model.vocabulary is None:
        return (z,)
    if not model.vocabulary.has_classes:
        conditions = model.fixed_conditions(count, seed=0)
        assert conditions is not None
        return z, conditions
    return z, torch.cat([torch.arange(count - 1) % len(model.vocabulary.names), torch.tensor([-1])])


def metadata(model: GAN, saved: Checkpoint, raw: bool = False, truncation: float = 1.0) -> dict[str, Any]:
    """Returns what an export says of itself, values that JSON has.

    Args:
        model: The trained model.
        saved: The checkpoint that it comes from.
        raw: Whether the file has the last weights instead of their average (EMA).
        truncation: The factor of the latents.
    """
    shape = next(model.sample_blocks(1, seed=0, raw=raw)).shape[1:]
    vocabulary = model.vocabulary
    kind = vocabulary and ("classes" if vocabulary.has_classes else "tags")
    return {
        "gan_lightning": version("gan_lightning"),
        "name": str(saved.get("config", {}).get("name", "")),
        "model": type(model).__name__,
        "network": type(model.generator).__name__,
        "step": saved.get("global_step", 0),
        "weights": "raw" if raw or model.generator_ema is None else "ema",
        "latent_dim": model.latent_dim,
        "latents": model.prior,
        "truncation": truncation,
        "labels": kind,
        "names": list(vocabulary.names) if vocabulary else [],
        "image_shape": list(shape),
        "range": [0, 1] if len(shape) == 3 else None,
    }
