"""LightningDataModules of other packages: their images for an evaluation, and a warning about inexact resume."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import torch
from lightning import LightningDataModule
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    RandomSampler,
    SequentialSampler,
)

from gan_lightning import rng
from gan_lightning.data.images import ImageData, Images, Labels, Split, to_uint8
from gan_lightning.errors import NoSuchSplit, UserError

_LOADERS = {
    "train": (("fit", "train_dataloader"),),
    "test": (("test", "test_dataloader"), ("validate", "val_dataloader")),
}
"""The stages and loaders of each split; the first one that the module has is used."""


def images_of(data: Any) -> ImageData:
    """Returns `data` itself if it is an `ImageData`, else the images of its loaders.

    Raises:
        UserError: Its batches contain no images.
    """
    return data if isinstance(data, ImageData) else ForeignImages(data)


def has_test_loader(module: LightningDataModule) -> bool:
    """Whether a data module of another package has a loader of the test split."""
    loaders = (name for _, name in _LOADERS["test"])
    return any(getattr(type(module), name) is not getattr(LightningDataModule, name) for name in loaders)


class ForeignImages(ImageData):
    """The images of another package's LightningDataModule, read once, in the order of its data sets.

    A batch is `(images, labels)`, or images alone: (batch, 1 or 3 channels, height, width), float in [-1, 1] or uint8,
    after the module's transfer hooks. Labels are class indices or multi-hot rows; others are ignored. The test
    split comes from `test_dataloader`, else from `val_dataloader`.

    Args:
        module: The data module.

    Raises:
        UserError: A batch has no such images.
    """

    def __init__(self, module: LightningDataModule) -> None:
        self.module = module
        self._loaded: dict[Split, tuple[Images, Labels]] = {}
        images, labels = self.load("train")
        count = labels.shape[1] if labels.ndim == 2 else int(labels.max()) + 1
        super().__init__(tuple(images.shape[1:]), condition_dim=count)

    @property
    def title(self) -> str:
        return type(self.module).__name__

    def load(self, split: Split) -> tuple[Images, Labels]:
        if split not in self._loaded:
            loader = self._loader(split)
            with torch.random.fork_rng(devices=[]):  # independent of training's random numbers
                rng.seed_defaults(torch.device("cpu"), "foreign images", split)
                images, labels = zip(*map(self._read, _in_order(loader)), strict=True)
            self._loaded[split] = torch.cat(images), torch.cat(labels)
        return self._loaded[split]

    def _loader(self, split: Split) -> Any:
        for stage, loader in _LOADERS[split]:
            try:
                self.module.setup(stage)
                return getattr(self.module, loader)()
            except (MisconfigurationException, NotImplementedError):  # the base class raises these
                continue
        wanted = " or ".join(loader for _, loader in _LOADERS[split])
        raise NoSuchSplit(
            f"{self.title} has no {split} images: no {wanted}. Add one, set callbacks.evaluation.split, or leave "
            "metrics out"
        )

    def _read(self, batch: Any) -> tuple[Images, Labels]:
        batch = self.module.on_after_batch_transfer(self.module.on_before_batch_transfer(batch, 0), 0)
        images, labels = (*batch, None)[:2] if isinstance(batch, tuple | list) else (batch, None)
        if not isinstance(images, Tensor) or images.ndim != 4 or images.shape[1] not in (1, 3):
            found = f"tensors of shape {tuple(images.shape)}" if isinstance(images, Tensor) else type(images).__name__
            raise UserError(
                f"{self.title} has no images to evaluate: its batches contain {found}, expected (images, labels) with "
                "images of shape (batch, 1 or 3 channels, height, width). Leave metrics out"
            )
        return self._as_uint8(images), _as_labels(labels, len(images))

    def _as_uint8(self, images: Tensor) -> Images:
        if images.dtype == torch.uint8:
            return images
        low, high = images.min().item(), images.max().item()
        if not (images.is_floating_point() and low >= -1.001 and high <= 1.001):
            raise UserError(
                f"{self.title} yields images from {low:g} to {high:g}, {images.dtype}; expected [-1, 1], as generators "
                "have them, or uint8. Scale them in its data set, or leave metrics out"
            )
        return to_uint8(images)


def _in_order(loader: Any) -> Iterable[Any]:
    """The batches of a loader, in the order of its data set if its sampler only shuffles or distributes all samples.

    Another sampler may choose some of them, such as SubsetRandomSampler for one side of a split: it is kept.
    """
    plain = isinstance(loader, DataLoader) and type(loader.batch_sampler) is BatchSampler
    whole = (SequentialSampler, RandomSampler, DistributedSampler)
    if not plain or not isinstance(loader.batch_sampler.sampler, whole):
        return loader
    return DataLoader(
        loader.dataset, loader.batch_sampler.batch_size, collate_fn=loader.collate_fn, num_workers=loader.num_workers
    )


def _as_labels(labels: Any, count: int) -> Labels:
    known = isinstance(labels, Tensor) and labels.ndim in (1, 2) and len(labels) == count
    if not known or (labels.ndim == 1 and labels.is_floating_point()):
        return torch.full((count,), -1)
    return labels.long() if labels.ndim == 1 else labels.to(torch.uint8)


@rank_zero_only
def warn_of_inexact_resume(loaders: Any) -> None:
    """Warns if the training loader has no state, so that the resumed run differs from an uninterrupted one."""
    for loader in loaders if isinstance(loaders, list | tuple) else [loaders]:
        if not (hasattr(loader, "state_dict") and hasattr(loader, "load_state_dict")):
            warnings.warn(
                f"the run goes on with the weights, optimizers and batch number of its checkpoint, but its training "
                f"loader, a {type(loader).__name__} of {type(getattr(loader, 'dataset', loader)).__name__}, has no "
                "state_dict and load_state_dict and does not know where it stopped. An epoch that was begun starts "
                "again with its first batch and ends after as many as were left: some samples come twice in it, some "
                "not at all, and the run is not the one that an undisturbed run would have been. A loader with these "
                "two methods can resume exactly",
                stacklevel=2,
            )
            return
