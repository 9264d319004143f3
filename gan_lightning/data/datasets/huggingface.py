"""The pictures of a data set of Hugging Face's library Datasets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from gan_lightning.data.datasets.own_pictures import OwnPictures
from gan_lightning.data.images import Labels, Split
from gan_lightning.data.io import rows
from gan_lightning.errors import UserError


class HuggingFace(OwnPictures):
    """The pictures of a data set of Hugging Face's library Datasets, from the hub or from files.

    Further arguments and errors are those of `OwnPictures`; errors name columns, splits and rows, too.

    Args:
        root: A name on the hub, a folder (of parquet, of arrow or of `save_to_disk`), or a parquet or arrow file.
        subset: The name of one of several parts, which the hub calls subsets.
        revision: A branch, tag or commit of the hub; None: its main branch, which may change between two runs.
        train_split: The name of the split to train on.
        test_split: The name of the test split; None: test, if there is one.
        image_column: The column of the pictures; None: the one that is of type Image.
        label_column: The column of the labels, integers or texts; None: the one that is of type ClassLabel, if any.
        download: Whether a data set that is not in the cache of Datasets is downloaded from the hub.
    """

    def __init__(
        self,
        *arguments: Any,
        root: str,
        subset: str | None = None,
        revision: str | None = None,
        train_split: str = "train",
        test_split: str | None = None,
        image_column: str | None = None,
        label_column: str | None = None,
        download: bool = True,
        **more: Any,
    ) -> None:
        super().__init__(*arguments, root=root, **more)
        self.subset = subset
        self.revision = revision
        self.train_split = train_split
        self.test_split = test_split
        self.image_column = image_column
        self.label_column = label_column
        self.download = download
        self._splits_found: Mapping[str, Any] | None = None

    def splits(self) -> Mapping[str, Any]:
        """The splits, each a `datasets.Dataset`."""
        if self._splits_found is None:
            self._splits_found = rows.open_splits(self.root, self.subset, self.revision, self.download)
        return self._splits_found

    def prepare_data(self) -> None:
        self.splits()

    def condition_names(self) -> Sequence[str]:
        dataset = self._split("train")
        return rows.label_names(dataset, rows.label_column(dataset.features, self.label_column))

    def own_test(self) -> str | None:
        name = self.test_split or "test"
        if self.test_split is None and (name not in self.splits() or name == self.train_split):
            return None
        rows.split_named(self.splits(), name, self.root, "test_split")
        if name == self.train_split:
            raise UserError(f"data.test_split={name}: it is data.train_split, too; expected another one, or null")
        return f"the split {name}"

    def open(self, split: Split) -> tuple[rows.RowPictures, Labels]:
        dataset = self._split(split)
        column = rows.image_column(dataset.features, self.image_column)
        pictures = rows.RowPictures(
            self.root, str(dataset.split or split), rows.encoded(dataset, column), column, range(len(dataset))
        )
        labels = rows.label_column(dataset.features, self.label_column)
        return pictures, torch.tensor(rows.read_labels(dataset, labels, self.condition_names()))

    def _split(self, split: Split) -> Any:
        if split == "train":
            return rows.split_named(self.splits(), self.train_split, self.root, "train_split")
        return self.splits()[self.test_split or "test"]
