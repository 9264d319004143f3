"""The base class of the data modules of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float, Int64, UInt8
from lightning import LightningDataModule
from torch import Tensor
from torch.nn.functional import interpolate

from gan_lightning.data.sampler import HOST, ResumableLoader, ShardedBatchSampler, TensorBatches, batch_parts
from gan_lightning.errors import UserError
from gan_lightning.labels import LabelVocabulary
from gan_lightning.specs import Described

Split = Literal["train", "test"]
Images = UInt8[Tensor, "count channels height width"]
Labels = Int64[Tensor, " count"] | UInt8[Tensor, "count names"]
"""Class indices, or multi-hot rows; -1, or a row of zeros, for an unlabeled sample."""
_BLOCK = 1024  # images that are resized at a time, since floats take four times the memory


class ImageData(Described, LightningDataModule):
    """Labeled images, stored as uint8; the model gets batches of (images in [-1, 1], labels).

    A data set overrides `load`. It may return images of any size, gray or colored: they are converted to
    `image_shape` once, and scaled on the device. Training does not use the test split; evaluation compares with it.

    Args:
        image_shape: (channels, height, width) of the images that the model sees.
        batch_size: The number of images per step, over all processes together.
        num_workers: The number of processes that load batches; 0 is fastest for data in memory.
        seed: The seed of the order of the images.
        condition_dim: The number of classes or tags, for which the networks are built; None: the number of names.
        limit: Only the first `limit` training images are used; None: all.
        only_classes: Only images of these classes are used, in both splits; they keep their numbers. None: all.
        gpu_memory_fraction: The part of a GPU's free memory, from 0 to below 1, that the training images may take. If
            they fit, they are copied there once, and batches are gathered there, without workers. If not, each batch is
            copied by pinned memory. The batches are the same.
        generator_real_batch_size: The number of real images of G's own in each step, over all processes together. A
            batch then is (images, labels, G's images, their labels), and an epoch has all of them; None: G has none.

    Raises:
        UserError: At setup, if a batch, `condition_dim` or `only_classes` does not fit the data.
    """

    names: ClassVar[Sequence[str] | None] = None
    """The names of the classes or tags; None: they are numbered, up to `condition_dim`."""

    classifier: ClassVar[str | None] = None
    """The name of the bundled classifier of these images, in `gan_lightning/evaluation/weights/`."""
    stacked: ClassVar[bool] = False
    """Whether each channel is a separate picture with its own class."""

    def __init__(
        self,
        image_shape: Sequence[int],
        batch_size: int = 64,
        num_workers: int = 0,
        seed: int = 0,
        condition_dim: int | None = None,
        limit: int | None = None,
        gpu_memory_fraction: float = 0.25,
        generator_real_batch_size: int | None = None,
        only_classes: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        self.image_shape = tuple(image_shape)
        self._expected_dim = condition_dim
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.seed = seed
        self.limit = limit
        self.only_classes = None if only_classes is None else list(only_classes)
        self.gpu_memory_fraction = gpu_memory_fraction
        self.generator_real_batch_size = generator_real_batch_size
        self._splits: dict[str, tuple[Images, Labels]] = {}
        self.train: TensorBatches | None = None

    @property
    def title(self) -> str:
        """The name of the data in reports and messages."""
        return type(self).__name__

    def load(self, split: Split) -> tuple[Images, Labels]:
        """The images of a split and their labels.

        Raises:
            NoSuchSplit: The data has no split of that name.
        """
        raise NotImplementedError

    def has_test(self) -> bool:
        """Whether there is a test split; it is not loaded for that."""
        return True

    def labeled(self) -> tuple[Images, Labels]:
        """The training images that are labeled, and their labels."""
        images, labels = self.load("train")
        known = (labels != 0).any(1) if labels.ndim == 2 else labels >= 0
        # All of them are not copied, since they may be a memory-mapped file that is larger than the memory.
        return (images, labels) if known.all() else (images[known], labels[known])

    def of_classes(self, split: Split) -> tuple[Images, Labels]:
        """The images of a split as they are loaded, of `only_classes` alone, and their labels."""
        images, labels = self.load(split)
        if self.only_classes is None:
            return images, labels
        if labels.ndim == 2 or not 0 <= min(self.only_classes) <= max(self.only_classes) < self.condition_dim:
            has = "tags" if labels.ndim == 2 else f"classes from 0 to {self.condition_dim - 1}"
            raise UserError(
                f"data.only_classes={self.only_classes}: {self.title} has {has}; set it to null for all images"
            )
        chosen = torch.isin(labels, torch.tensor(self.only_classes))
        return images[chosen], labels[chosen]

    def split(self, split: Split) -> tuple[Images, Labels]:
        """The images of a split at `image_shape`, and their labels; the training images up to `limit`."""
        if split not in self._splits:
            images, labels = self.of_classes(split)
            used = slice(self.limit if split == "train" else None)
            self._splits[split] = fit_to(images[used], self.image_shape), labels[used]
        return self._splits[split]

    def condition_names(self) -> Sequence[str]:
        """The names of the classes or tags, in the order of their numbers."""
        return numbered(self._expected_dim or 0) if self.names is None else self.names

    @property
    def condition_dim(self) -> int:
        """The number of classes or tags."""
        return len(self.condition_names())

    @property
    def vocabulary(self) -> LabelVocabulary:
        """The vocabulary of the labels, once the data is set up."""
        assert self.train is not None
        return LabelVocabulary.of_labels(self.condition_names(), self.train.labels)

    def setup(self, stage: str | None = None) -> None:
        if self.train is not None:
            return
        images, labels = self.split("train")
        own = self.generator_real_batch_size or 0
        if self.batch_size + own > len(images):
            key = f"data.batch_size={self.batch_size}" + own * f" with data.generator_real_batch_size={own}"
            raise UserError(
                f"{key} is larger than the data: {type(self).__name__} has "
                f"{len(images)} images. Choose data.batch_size between 1 and {len(images) - own}"
            )
        count = labels.shape[1] if labels.ndim == 2 else int(labels.max()) + 1
        known = max(count, self.condition_dim)
        if known > self.condition_dim or self._expected_dim not in (None, known):
            raise UserError(
                f"data.condition_dim={self._expected_dim}: {type(self).__name__} has {known} labels; expected {known}"
            )
        self.train = TensorBatches(images, labels)

    def train_dataloader(self) -> ResumableLoader:
        assert self.train is not None
        trainer = self.trainer
        world_size = trainer.world_size if trainer else 1
        parts = batch_parts(self.batch_size, self.generator_real_batch_size, world_size)
        device = trainer.strategy.root_device if trainer else HOST
        place = device if self.train.fit_on(device, self.gpu_memory_fraction) else HOST
        workers = self.num_workers if place == HOST else 0
        sampler = ShardedBatchSampler(
            size=len(self.train.images),
            parts=parts,
            seed=self.seed,
            position=lambda: trainer.global_step if trainer else 0,
            rank=trainer.global_rank if trainer else 0,
            world_size=world_size,
            device=place,
        )
        return ResumableLoader(
            self.train.to(place),
            sampler=sampler,
            batch_size=None,  # the sampler yields whole batches
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=device.type == "cuda" and place == HOST,
        )

    def on_after_batch_transfer(self, batch: Sequence[Tensor], dataloader_idx: int) -> Any:
        return tuple(field if index % 2 else to_unit_range(field) for index, field in enumerate(batch))


def numbered(count: int) -> tuple[str, ...]:
    """The names of classes that have only numbers: "0", "1" and so on."""
    return tuple(map(str, range(count)))


def to_unit_range(images: UInt8[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Scales 0..255 to [-1, 1]."""
    return images.float().div_(127.5).sub_(1)


def to_uint8(images: Float[Tensor, "*shape"]) -> UInt8[Tensor, "*shape"]:
    """Scales [-1, 1] to 0..255, rounded to the nearest."""
    return images.add(1).mul_(127.5).round_().clamp_(0, 255).to(torch.uint8)


def fit_to(images: Images, image_shape: Sequence[int]) -> UInt8[Tensor, "count c h w"]:
    """Converts images to the channels and size of `image_shape`: gray is repeated, color averaged by luma (ITU-R 601).

    Images of that shape are not copied, since they may be a memory-mapped file that is larger than the memory.

    Raises:
        UserError: The images have neither 1 nor 3 channels, and not those of `image_shape`.
    """
    if tuple(images.shape[1:]) == tuple(image_shape):
        return images.contiguous()
    return torch.cat([_fitted(block, image_shape) for block in images.split(_BLOCK)]).contiguous()


def _fitted(images: Images, image_shape: Sequence[int]) -> UInt8[Tensor, "count c h w"]:
    channels, *size = image_shape
    if images.shape[1] == 3 and channels == 1:
        luma = torch.tensor([0.299, 0.587, 0.114], device=images.device).view(1, 3, 1, 1)
        images = (images * luma).sum(1, keepdim=True).round().to(torch.uint8)
    elif images.shape[1] == 1:
        images = images.repeat(1, channels, 1, 1)
    elif images.shape[1] != channels:
        raise UserError(
            f"data.image_shape={list(image_shape)}: images of {images.shape[1]} channels cannot have {channels}; "
            f"expected {images.shape[1]}, or 1 for gray"
        )
    if list(images.shape[2:]) != size:
        resized = interpolate(images.float(), size, mode="bicubic", antialias=True)
        images = resized.round_().clamp_(0, 255).to(torch.uint8)
    return images
