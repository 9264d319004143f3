"""StyleGAN2: Karras et al. 2020 (arXiv:1912.04958); the condition enters as in their code of ADA (arXiv:2006.06676).

Not here are that code's clamped activations, which it needs for 16 bits.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.conditioning import ConditionalDiscriminator, Join, LogitHead
from gan_lightning.networks.equalized import EqualizedConv2d, EqualizedLinear, ScaledLeakyReLU, SecondMomentNorm
from gan_lightning.networks.equalized_heads import EqualizedLogitHead, MappedInnerProductHead
from gan_lightning.networks.minibatch import MinibatchStd
from gan_lightning.networks.modulation import SynthesisBlock, ToImage, label_embedding, mapping_network
from gan_lightning.networks.resample import Blur, Resample
from gan_lightning.networks.sizes import doubling_channels, require_power_of_two
from gan_lightning.specs import Described

Form = Literal["skip", "residual", "plain"]
"""How maps of several sizes meet: by images of each size, by shortcuts, or not at all: section 4.1 and figure 7."""
FIRST_SIZE = 4
"""The height and width of the smallest map."""
SMALLEST_IMAGE = 16
W_MEAN_DECAY = 0.995
"""The share of the old mean of w after a forward pass in training."""


class StyleGAN2Generator(Described, nn.Module):
    """z -> w = mapping(z, condition); a learned 4x4 map -> layers whose kernels are scaled by w -> image.

    z and the embedded condition are normalized to a second moment of 1. In training, two latents share an image with
    the probability `style_mixing`: the layers from a random one on get the w of another z. It is the same layer for all
    samples of a batch, as in the authors' code; these draws and the noise are from torch's default generator.

    Args:
        latent_dim: The width of z.
        image_shape: (channels, size, size) of an image; the size is a power of two from 16 on.
        base_channels: The channels of the largest map; they double towards the small ones, up to 8 * base_channels.
        channels: The channels of each map, from 4x4 on, instead.
        w_dim: The width of w.
        mapping_layers: The number of layers of the mapping network.
        form: How the maps make the image: "skip" adds an image of each size, doubled, to the next; "residual" has
            shortcuts between the maps; "plain" has neither.
        style_mixing: The probability of two latents for an image, in training.
        noise: Whether layers add noise.
        bounded: Whether tanh follows; False, as in the authors' code: nothing bounds the samples, which are clipped
            where they become pictures.
        condition_dim: The width of the condition; 0: the network is unconditional.

    Attributes:
        num_layers: The number of layers that get a w.
        draws_in_training: Whether samples depend on more than their latents in training.
        w_mean: The moving average (w_dim,) of w in training.

    Raises:
        ValueError: The sizes do not fit.
    """

    w_mean: Tensor

    def __init__(
        self,
        latent_dim: int,
        image_shape: Sequence[int],
        base_channels: int = 16,
        channels: Sequence[int] | None = None,
        w_dim: int = 64,
        mapping_layers: int = 2,
        form: Form = "skip",
        style_mixing: float = 0.9,
        noise: bool = True,
        bounded: bool = True,
        condition_dim: int = 0,
    ) -> None:
        super().__init__()
        found = _map_channels(image_shape, base_channels, channels, "generator")
        channels = found if channels else found[::-1]
        self.latent_dim, self.style_mixing = latent_dim, style_mixing
        self.normalize = SecondMomentNorm()
        self.embedding = label_embedding(condition_dim, w_dim) if condition_dim else None
        self.mapping = mapping_network(latent_dim + (w_dim if condition_dim else 0), w_dim, mapping_layers)
        self.register_buffer("w_mean", torch.zeros(w_dim))
        self.const = nn.Parameter(torch.randn(channels[0], FIRST_SIZE, FIRST_SIZE))
        self.blocks = nn.ModuleList(
            SynthesisBlock(*widths, FIRST_SIZE << index, w_dim, index > 0, form == "residual", noise)
            for index, widths in enumerate(zip([channels[0], *channels[:-1]], channels, strict=True))
        )
        imaged = channels if form == "skip" else channels[-1:]
        self.to_image = nn.ModuleList(ToImage(width, image_shape[0], w_dim) for width in imaged)
        self.upsample = Resample(up=True)
        self.bound = nn.Tanh() if bounded else nn.Identity()
        self.num_layers = 2 * len(channels)
        self.draws_in_training = noise or style_mixing > 0

    def map_latents(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch w"]:
        """Returns w of latents, for all layers."""
        z = self.normalize(z)
        if self.embedding is not None and condition is not None:
            z = torch.cat([z, self.embedding(condition)], 1)
        return self.mapping(z)

    def styles(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch layers w"]:
        """Returns w of each layer. In training it moves `w_mean`, and mixes the w of two latents."""
        w = self.map_latents(z, condition)
        if self.training:
            with torch.no_grad():
                self.w_mean.lerp_(w.mean(0).to(self.w_mean.dtype), 1 - W_MEAN_DECAY)
        ws = w[:, None].expand(-1, self.num_layers, -1)
        if not self.training or self.style_mixing == 0:
            return ws
        other = self.map_latents(torch.randn_like(z), condition)
        first = torch.randint(1, self.num_layers, (), device=z.device)
        mixed = torch.rand((), device=z.device) < self.style_mixing
        layers = torch.arange(self.num_layers, device=z.device)
        return torch.where((mixed & (layers >= first))[:, None], other[:, None], ws)

    def synthesize(
        self, w: Float[Tensor, "batch w"] | Float[Tensor, "batch layers w"]
    ) -> Float[Tensor, "batch channels height width"]:
        """Returns the images of one w for all layers, or of one for each."""
        ws = w.unbind(1) if w.ndim == 3 else (w,) * self.num_layers
        x, image = self.const.expand(w.shape[0], -1, -1, -1), None
        without_image = len(self.blocks) - len(self.to_image)
        for index, block in enumerate(self.blocks):
            used = 2 * index + 1  # the first block has one layer, the others have two
            x = block(x, ws[max(used - 2, 0) : used])
            if index >= without_image:  # by the w that the next layer gets, too
                added = self.to_image[index - without_image](x, ws[used])
                image = added if image is None else self.upsample(image) + added
        return self.bound(image)

    def forward(
        self, z: Float[Tensor, "batch latent"], condition: Float[Tensor, "batch condition"] | None = None
    ) -> Float[Tensor, "batch channels height width"]:
        return self.synthesize(self.styles(z, condition))


class DiscriminatorBlock(nn.Module):
    """3x3 -> 3x3 that halves the size, each with LeakyReLU.

    Args:
        in_channels: The channels that enter.
        out_channels: The channels that leave.
        residual: Whether a 1x1 convolution of the input, halved, is added, and the sum divided by sqrt(2).
    """

    def __init__(self, in_channels: int, out_channels: int, residual: bool) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(EqualizedConv2d(in_channels, in_channels, 3), ScaledLeakyReLU()),
            *(Blur(padding=2), EqualizedConv2d(in_channels, out_channels, 3, halve=True), ScaledLeakyReLU()),
        )
        shortcut = (Resample(up=False), EqualizedConv2d(in_channels, out_channels, 1, bias=False))
        self.shortcut = nn.Sequential(*shortcut) if residual else None

    def forward(self, x: Float[Tensor, "batch in height width"]) -> Float[Tensor, "batch out half_height half_width"]:
        y = self.layers(x)
        return y if self.shortcut is None else (self.shortcut(x) + y) / math.sqrt(2)


class DiscriminatorBody(nn.Module):
    """image -> 1x1 -> blocks, each halving the size -> [minibatch standard deviation] -> 3x3 -> Linear -> features.

    Args:
        image_channels: The channels of the image.
        channels: The channels of each map, down to 4x4; the features are as many as the last.
        form: "skip" adds the image, halved again and again, to each map by a 1x1 convolution; "residual" has shortcuts.
        minibatch_std: The layer on the last map; None: there is none.
    """

    def __init__(
        self, image_channels: int, channels: Sequence[int], form: Form, minibatch_std: MinibatchStd | None
    ) -> None:
        super().__init__()
        imaged = channels if form == "skip" else channels[:1]
        self.from_image = nn.ModuleList(
            nn.Sequential(EqualizedConv2d(image_channels, width, 1), ScaledLeakyReLU()) for width in imaged
        )
        self.downsample = Resample(up=False)
        self.blocks = nn.ModuleList(
            DiscriminatorBlock(*widths, residual=form == "residual") for widths in itertools.pairwise(channels)
        )
        last, added = channels[-1], 0 if minibatch_std is None else minibatch_std.num_channels
        self.last = nn.Sequential(
            *([] if minibatch_std is None else [minibatch_std]),
            *(EqualizedConv2d(last + added, last, 3), ScaledLeakyReLU(), nn.Flatten()),
            *(EqualizedLinear(last * FIRST_SIZE**2, last), ScaledLeakyReLU()),
        )

    def forward(self, image: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
        x = self.from_image[0](image)
        for block, from_image in itertools.zip_longest(self.blocks, self.from_image[1:]):
            x = block(x)
            if from_image is not None:
                image = self.downsample(image)
                x = x + from_image(image)
        return self.last(x)

    def parts(self) -> Iterator[nn.Module]:
        """Yields its parts with weights, from the image on."""
        for from_image, block in itertools.zip_longest(self.from_image, self.blocks):
            yield from (part for part in (from_image, block) if part is not None)
        yield self.last


class StyleGAN2Discriminator(ConditionalDiscriminator):
    """image -> maps, each half as large -> minibatch standard deviation -> features -> logit.

    Args:
        image_shape: (channels, size, size) of an image; the size is a power of two from 16 on.
        base_channels: The channels of the largest map; they double towards the small ones, up to 8 * base_channels.
        channels: The channels of each map, down to 4x4, instead.
        form: How the maps see the image: "residual" has shortcuts between the maps; "skip" adds the image in each size;
            "plain" has neither.
        mapping_layers: The number of layers of the condition's mapping network.
        minibatch_std: The layer on the last map; None: there is none.
        condition_dim: The width of the condition; 0: the network is unconditional.
        join: How the condition enters; "inner_product" maps it first, as in the code of ADA.

    Raises:
        ValueError: The sizes do not fit.
    """

    def __init__(
        self,
        image_shape: Sequence[int],
        base_channels: int = 16,
        channels: Sequence[int] | None = None,
        form: Form = "residual",
        mapping_layers: int = 2,
        minibatch_std: MinibatchStd | None = None,
        condition_dim: int = 0,
        join: Join = "inner_product",
    ) -> None:
        super().__init__(image_shape, condition_dim, join)
        channels = _map_channels(image_shape, base_channels, channels, "discriminator")
        self.set_body(DiscriminatorBody(self.concat.shape[0], channels, form, minibatch_std), channels[-1])
        if isinstance(self.head, LogitHead):
            self.head = EqualizedLogitHead(self.feature_dim, self.head_condition_dim)
        else:
            self.head = MappedInnerProductHead(self.feature_dim, condition_dim, mapping_layers)


def _map_channels(
    image_shape: Sequence[int], base_channels: int, channels: Sequence[int] | None, player: str
) -> list[int]:
    """Returns the channels of each map, in the order of `channels` if they are given, else the largest map first.

    Raises:
        ValueError: The image has no such size, or there are not as many channels as maps.
    """
    count = int(math.log2(require_power_of_two(image_shape, SMALLEST_IMAGE) // FIRST_SIZE)) + 1
    if channels is not None and len(channels) != count:
        raise ValueError(
            f"network.{player}.channels={list(channels)}: expected {count}, one for each map from 4x4 to "
            f"{image_shape[1]}x{image_shape[2]}. Change it or data.image_shape"
        )
    return list(channels or doubling_channels(base_channels, count))
