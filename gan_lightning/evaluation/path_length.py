"""Perceptual path length: how much a picture changes along a short way through the latents."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics.functional.image import perceptual_path_length
from torchvision.models import VGG16_Weights
from tqdm.auto import tqdm

from gan_lightning import rng
from gan_lightning.errors import UserError
from gan_lightning.evaluation.weights_file import fetch
from gan_lightning.models.interpolation import great_circle
from gan_lightning.models.latents import STANDARD_NORMAL, is_style_based
from gan_lightning.models.sampling import LatentModel

EPSILON = 1e-4
"""The length of a way, as the part of the whole way from one latent to another."""
LARGEST, SMALLEST = 256, 16
"""Larger images are resized to 256 x 256, as in the paper; smaller ones than 16 x 16 end before VGG16 does."""


class PathLength:
    """The perceptual path length: Karras et al. 2019 (arXiv:1812.04948), eqs. 2 and 3, computed by torchmetrics.

    It is the mean of LPIPS(G(a), G(b)) / epsilon^2, for a and b at t and t + epsilon between two latents, without the
    hundredth that is smallest and the one that is largest. A style-based generator is measured in w, by linear
    interpolation at t = 0, as StyleGAN2 publishes it; others in z, on the great circle, at a random t.

    Args:
        model: A model of images.
        num: The number of ways.
        image_shape: (channels, height, width) of the images.

    Raises:
        UserError: VGG16's weights are missing and not downloadable, or the images or the latents do not suit.
    """

    def __init__(self, model: LatentModel, num: int, image_shape: tuple[int, ...]) -> None:
        channels, *size = image_shape
        if channels not in (1, 3) or min(size) < SMALLEST:
            raise UserError(
                f"--ppl: expected gray or color images of {SMALLEST} x {SMALLEST} pixels or more, got "
                f"{' x '.join(map(str, image_shape))}"
            )
        if model.prior != STANDARD_NORMAL:
            raise UserError(f"--ppl: expected latents of a standard normal distribution, got {model.prior}")
        url = VGG16_Weights.DEFAULT.url
        fetch(url, Path(torch.hub.get_dir(), "checkpoints", Path(url).name), "--ppl", "or leave out --ppl")
        self.model = model
        self.num = num
        self.resize = LARGEST if max(size) > LARGEST else None

    @property
    def protocol(self) -> dict[str, Any]:
        """What the metric depends on, except the generator."""
        return {"num": self.num, "latents": "w" if is_style_based(self.model.generator) else "z", "epsilon": EPSILON}

    def measure(self, seed: int, raw: bool) -> float:
        """The path length; `seed` is that of the latents, and `raw` asks for the last weights instead of the EMA."""
        generator = self.model.sampled_generator(raw)
        was_training = generator.training
        batch_size = self.model.BLOCK // 2
        bar = tqdm(total=math.ceil(self.num / batch_size), desc="path length", leave=False, disable=None, delay=1)
        try:
            paths = _Paths(self.model, generator.eval(), self.num, seed)
            paths.register_forward_hook(lambda *_: bar.update() and None)
            mean, _, _ = perceptual_path_length(
                paths,  # type: ignore[arg-type]
                self.num,
                batch_size=batch_size,
                interpolation_method="lerp",
                epsilon=EPSILON,
                resize=self.resize,
                sim_net="vgg",
                device=self.model.device,
            )
        finally:
            bar.close()
            generator.train(was_training)
        return mean.item()


class _Paths(nn.Module):
    """Ways through the latents, as torchmetrics asks for a generator.

    Its latents are rows (t, first latent, second latent, condition). Its second sample differs from the first by 1 in
    t alone, so that its linear interpolation moves t by epsilon, and nothing else: what lies at t is found here.
    """

    def __init__(self, model: LatentModel, generator: nn.Module, num: int, seed: int) -> None:
        super().__init__()
        self.generator = generator
        self.in_w = is_style_based(generator)
        self.dtype = model.dtype
        z = model.fixed_z(2 * num, seed)
        condition = model.fixed_conditions(num, seed)
        self.widths = [1, model.latent_dim, model.latent_dim, 0 if condition is None else condition.shape[1]]
        t = torch.zeros(num, 1) if self.in_w else torch.rand(num, 1, generator=rng.generator("path length", seed))
        parts = [t, *z.chunk(2), *([] if condition is None else [condition])]
        rows = torch.cat(parts, 1).to(torch.float32 if model.device.type == "mps" else torch.float64)
        self.rows = iter((rows, rows + (torch.arange(rows.shape[1]) == 0)))

    def sample(self, num_samples: int) -> Float[Tensor, "num row"]:
        """The rows at the start; at the second call those at the end."""
        return next(self.rows)

    def forward(self, rows: Float[Tensor, "batch row"]) -> Float[Tensor, "batch 3 height width"]:
        """Images from 0 to 255, not rounded."""
        t, start, end, labels = rows.split(self.widths, 1)
        condition = labels.to(self.dtype) if labels.shape[1] else None
        if self.in_w:
            first, second = (self._mapped(z.to(self.dtype), condition).to(rows) for z in (start, end))
            samples = self.generator.synthesize(torch.lerp(first, second, t).to(self.dtype))  # type: ignore[operator]
        else:
            samples = self.generator(great_circle(start, end, t).to(self.dtype), condition)
        return ((samples + 1) * 127.5).expand(-1, 3, -1, -1)

    def _mapped(self, z: Tensor, condition: Tensor | None) -> Tensor:
        return self.generator.map_latents(z, condition)  # type: ignore[operator]
