"""The pictures in the rows of a data set of the library Datasets, and which columns they and their labels are in."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import Any

from gan_lightning.data.io.messages import problem_of
from gan_lightning.data.io.sources import PictureSource, file_stamp
from gan_lightning.errors import UserError

_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FILES = {".parquet": "parquet", ".arrow": "arrow"}


@dataclass(frozen=True)
class RowPictures(PictureSource):
    """The pictures of a column.

    Attributes:
        root: The data set's name, or where it lies.
        split: The name of the split.
        dataset: A `datasets.Dataset`, in which the column is not decoded.
        column: The name of the column.
        rows: The numbers of the rows.
    """

    root: str
    split: str
    dataset: Any
    column: str
    rows: Sequence[int]

    @property
    def place(self) -> str:
        root = os.path.realpath(self.root) if os.path.exists(self.root) else self.root
        return f"the split {self.split} of {root}"

    @cached_property
    def names(self) -> Sequence[str]:
        return [f"row {row}" for row in self.rows]

    def file(self, number: int) -> Path | BytesIO:
        cell = self.dataset[self.rows[number]][self.column]
        if isinstance(cell, bytes):
            return BytesIO(cell)
        if cell is None or (cell["bytes"] is None and cell["path"] is None):
            raise ValueError("it is empty")
        return Path(cell["path"]) if cell["bytes"] is None else BytesIO(cell["bytes"])

    def stamps(self) -> Iterator[object]:
        yield self.column, len(self.rows)
        for file in self.dataset.cache_files:  # of Arrow; Datasets makes new ones if what they are made of changes
            yield file["filename"], *file_stamp(file["filename"])
        for path in self._files_beside():
            yield path, *file_stamp(path)

    def reordered(self, order: Sequence[int]) -> RowPictures:
        return replace(self, rows=[self.rows[number] for number in order])

    def _files_beside(self) -> Iterator[str]:
        """The paths of the pictures that are not in the rows; no picture is read for that."""
        if self.dataset.features[self.column] == _library().Value("binary"):
            return
        for table in self.dataset.with_format("arrow").iter(1000):
            for cells in table[self.column].chunks:
                paths = cells.field("path").filter(cells.field("bytes").is_null())
                yield from (path for path in paths.to_pylist() if path is not None)


def open_splits(
    root: str, subset: str | None = None, revision: str | None = None, download: bool = True
) -> dict[str, Any]:
    """The splits of a data set by their names: each is a `datasets.Dataset`, which the disk holds.

    Args:
        root: A name on the hub, a folder (of parquet, arrow or what else Datasets reads, or of `save_to_disk`), or a
            parquet or arrow file.
        subset: The name of one of several parts, which the hub calls subsets.
        revision: A branch, tag or commit of the hub; None: its main branch.
        download: Whether the hub is asked; else it has to be in the cache of Datasets.

    Raises:
        UserError: Datasets is not installed, or cannot open this, or there is no such subset or revision of it.
    """
    datasets, path = _library(), _place(root)
    saved = any((path / name).is_file() for name in ("dataset_dict.json", "state.json"))
    if subset is not None and (saved or path.is_file()):
        raise UserError(f"data.subset={subset}: {root} has no subsets; expected null")
    if revision is not None and path.exists():
        raise UserError(f"data.revision={revision}: {root} is not on the hub, which alone has revisions; expected null")
    with _opening(root, download):
        if saved:
            found = datasets.load_from_disk(root, keep_in_memory=False)
        elif path.is_file():
            kind = _FILES.get(path.suffix, "parquet")
            found = datasets.load_dataset(kind, data_files=str(path.resolve()), keep_in_memory=False)
        else:
            found = datasets.load_dataset(root, subset, revision=revision, keep_in_memory=False)
    splits = dict(found) if isinstance(found, dict) else {str(found.split or "train"): found}
    if revision is not None and _COMMIT.fullmatch(revision):
        _require_commit(splits, revision, root)
    return splits


def count_labels(
    root: str, subset: str | None, revision: str | None, split: str, column: str | None, download: bool
) -> int:
    """The number of labels of a data set; from the hub it is not downloaded if its description says the number."""
    datasets, path = _library(), _place(root)
    with _opening(root, download):
        on_hub = None if path.exists() else datasets.load_dataset_builder(root, subset, revision=revision)
    described = on_hub.info.features if on_hub else None
    if described is not None:
        found = label_column(described, column)
        if found is None or hasattr(described[found], "names"):
            return len(described[found].names) if found else 0
    dataset = split_named(open_splits(root, subset, revision, download), split, root, "train_split")
    return len(label_names(dataset, label_column(dataset.features, column)))


def split_named(splits: Mapping[str, Any], name: str, root: str, key: str) -> Any:
    """The split of this name.

    Raises:
        UserError: There is none; the message lists the others.
    """
    if name not in splits:
        raise UserError(f"data.{key}={name}: {root} has no such split; expected one of {', '.join(splits)}")
    return splits[name]


def image_column(features: Mapping[str, Any], column: str | None) -> str:
    """The column of the pictures: that of this name, or the only one of `datasets.Image`.

    Raises:
        UserError: There is no such column, or it has no pictures; the message lists the columns.
    """
    datasets = _library()
    images = [name for name, feature in features.items() if isinstance(feature, datasets.Image)]
    if column is None:
        if len(images) == 1:
            return images[0]
        problem = f"{len(images)} columns are images, so that it has to be set" if images else "no column is an image"
        raise UserError(f"data.image_column=null: {problem}{_columns(features)}")
    feature = _feature(features, column, "image_column")
    encoded = isinstance(feature, dict) and {"bytes", "path"} <= feature.keys()
    if column in images or encoded or feature == datasets.Value("binary"):
        return column
    raise UserError(f"data.image_column={column}: it has no images{_columns(features)}")


def label_column(features: Mapping[str, Any], column: str | None) -> str | None:
    """The column of the labels: that of this name, or the only one of `datasets.ClassLabel`; None if there is none.

    Raises:
        UserError: There is no such column, or there are several; the message lists the columns.
    """
    datasets = _library()
    if column is not None:
        _feature(features, column, "label_column")
        return column
    labels = [name for name, feature in features.items() if isinstance(feature, datasets.ClassLabel)]
    if len(labels) > 1:
        raise UserError(
            f"data.label_column=null: {len(labels)} columns are labels, so that it has to be set{_columns(features)}"
        )
    return labels[0] if labels else None


def label_names(dataset: Any, column: str | None) -> list[str]:
    """The names of the labels in a column; a column of integers or texts has as many as it has values.

    Raises:
        UserError: It has neither.
    """
    if column is None:
        return []
    feature = dataset.features[column]
    if hasattr(feature, "names"):
        return list(feature.names)
    kind = getattr(feature, "dtype", "")
    if not re.fullmatch(r"u?int\d+|bool|(large_)?string", kind):
        raise UserError(f"data.label_column={column}: expected labels, integers or texts{_columns(dataset.features)}")
    return list(map(str, sorted(set(dataset.unique(column)) - {None})))


def read_labels(dataset: Any, column: str | None, names: Sequence[str]) -> list[int]:
    """The number in `names` of each row's label; -1 if it has none, or none of these."""
    if column is None:
        return [-1] * len(dataset)
    values = dataset.select_columns([column])[:][column]
    if hasattr(dataset.features[column], "names"):
        return [-1 if value is None else value for value in values]
    number_of = {name: number for number, name in enumerate(names)}
    return [-1 if value is None else number_of.get(str(value), -1) for value in values]


def encoded(dataset: Any, column: str) -> Any:
    """A data set with this column alone, whose pictures are not decoded."""
    pictures = dataset.select_columns([column])
    is_image = isinstance(pictures.features[column], _library().Image)
    return pictures.cast_column(column, _library().Image(decode=False)) if is_image else pictures


def _library() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise UserError("data=huggingface needs datasets: pip install 'gan_lightning[huggingface]'") from error
    return datasets


def _place(root: str) -> Path:
    """The path of a data set, if it is no name on the hub."""
    if not os.path.exists(root) and not _HUB_NAME.fullmatch(root):
        raise UserError(
            f"data.root={root}: expected a name on the hub, such as ylecun/mnist, or an existing folder or file"
        )
    return Path(root)


@contextlib.contextmanager
def _opening(root: str, download: bool) -> Iterator[None]:
    """Turns errors of Datasets into a UserError, and keeps it from the network unless `download` is set."""
    config = _library().config
    offline = config.HF_HUB_OFFLINE
    config.HF_HUB_OFFLINE = offline or not download
    try:
        yield
    except Exception as error:  # of many types: of the hub, of the network, of Arrow
        where = "" if os.path.exists(root) else "there is no such folder or file here, and on the hub "
        closed = "" if download else ", and data.download is false"
        raise UserError(f"data.root={root}: {where}it cannot be opened{closed}: {problem_of(error)}"[:600]) from error
    finally:
        config.HF_HUB_OFFLINE = offline


def _require_commit(splits: Mapping[str, Any], commit: str, root: str) -> None:
    """Raises a UserError if the splits are of another commit: Datasets takes its newest one where it has no hub."""
    commits = {Path(file["filename"]).parent.name for split in splits.values() for file in split.cache_files}
    if commits != {commit}:
        raise UserError(
            f"data.revision={commit}: the hub was not reached, and the newest data of {root} in the cache of Datasets "
            f"is {', '.join(sorted(commits))}; expected a connection and data.download=true"
        )


def _feature(features: Mapping[str, Any], column: str, key: str) -> Any:
    if column not in features:
        raise UserError(f"data.{key}={column}: there is no such column{_columns(features)}")
    return features[column]


def _columns(features: Mapping[str, Any]) -> str:
    kinds = (f"{name} ({getattr(feature, 'dtype', 'several')})" for name, feature in features.items())
    return f". The columns are {', '.join(kinds)}"
