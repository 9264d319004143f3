"""From images to features: the base class of the extractors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm.auto import tqdm

from gan_lightning.data.images import ImageData, Images, fit_to, to_uint8
from gan_lightning.tensor_file import digest_of

PROTOCOL = 1
"""Increase it when the same images would get other features or metrics: caches and reports depend on it."""


@dataclass(frozen=True)
class Features:
    """The features of n images.

    Raises:
        FloatingPointError: In the constructor, if they are not finite. No metric of them would mean anything, and
            LAPACK can end the process when FID takes eigenvalues of NaN.
    """

    vectors: Float[Tensor, "n dimensions"]
    logits: Float[Tensor, "n classes"] | None = None
    """None if the extractor does not classify."""
    spatial: Float[Tensor, "n places"] | None = None
    """Features of single places of the image, for sFID; None if the extractor has none."""

    def __post_init__(self) -> None:
        for tensor in self.tensors().values():
            require_finite(tensor)

    def __len__(self) -> int:
        return len(self.vectors)

    def to(self, device: torch.device | str) -> Features:
        """The features on a device."""
        return Features(**{name: tensor.to(device) for name, tensor in self.tensors().items()})

    def tensors(self) -> dict[str, Float[Tensor, "n _"]]:
        """Those of the fields that there are, by their names."""
        return {name: tensor for name, tensor in vars(self).items() if tensor is not None}


class Extractor:
    """Maps images of any size and color to features, always in the same way.

    A subclass overrides `load`. Images are rounded to uint8 and converted to `input_shape`: gray is repeated, color is
    averaged by luma, and the size is resampled bicubically with antialiasing.
    """

    name = "extractor"
    BATCH = 250

    def __init__(self) -> None:
        self.network: nn.Module | None = None
        self.input_shape: tuple[int, ...] | None = None

    def load(self, data: ImageData) -> tuple[nn.Module, tuple[int, ...]]:
        """The network for this data, and the shape (channels, height, width) of its input.

        The network maps uint8 images to the fields of `Features`: (vectors, logits or None), and spatial features if it
        has some. It is in eval mode.

        Raises:
            UserError: The network is not available for this data.
        """
        raise NotImplementedError

    def prepare(self, data: ImageData) -> None:
        """Loads the network, once."""
        if self.network is None:
            self.network, self.input_shape = self.load(data)

    @property
    def resize(self) -> str:
        """A description of how images are resized to the network's input."""
        assert self.input_shape is not None
        return f"to {' x '.join(map(str, self.input_shape))}, bicubic, antialiased"

    @property
    def digest(self) -> str:
        """A hash of everything that the features depend on."""
        assert self.network is not None
        parts = [f"protocol {PROTOCOL}".encode(), self.name.encode(), self.resize.encode(), repr(self.network).encode()]
        state = self.network.state_dict()
        return digest_of(*parts, *(name.encode() for name in state), *state.values())

    def __call__(self, images: Images) -> Features:
        """Features of uint8 images, on the CPU."""
        assert self.network is not None
        assert self.input_shape is not None
        device = next(self.network.parameters()).device
        found = []
        for batch in images.split(self.BATCH):
            # Without TF32 a GPU gives the same features as a CPU.
            with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
                fields = self.network(fit_to(batch.to(device), self.input_shape))
            found.append(Features(*fields).to("cpu"))
        return join(found)

    def of_blocks(self, blocks: Iterable[Float[Tensor, "block c h w"]], title: str, total: int) -> Features:
        """Features of images in [-1, 1] that come in blocks, with a progress bar."""
        bar = tqdm(blocks, desc=title, total=total, leave=False, disable=None, delay=1)
        found = [self(to_uint8(block)) for block in bar]
        return join(found)

    def to(self, device: torch.device | str) -> None:
        """Moves the network to a device."""
        assert self.network is not None
        self.network.to(device)


def require_finite(features: Float[Tensor, "n dimensions"]) -> None:
    """Raises a FloatingPointError if features are not finite."""
    broken = int((~features.isfinite()).any(1).sum())
    if broken:
        raise FloatingPointError(
            f"the features of {broken} of {len(features)} images are not finite: they contain NaN or infinity. The "
            "images are finite, so the weights of the feature extractor are damaged; choose another metrics= or "
            "--extractor"
        )


def join(parts: Iterable[Features]) -> Features:
    """Concatenates features."""
    tensors = [part.tensors() for part in parts]
    return Features(**{name: torch.cat([part[name] for part in tensors]) for name in tensors[0]})
