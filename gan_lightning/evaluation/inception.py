"""Features of the Inception-v3 network, which published metrics use."""

from __future__ import annotations

import hashlib
import os
import pickle
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from gan_lightning.data.images import ImageData
from gan_lightning.errors import UserError
from gan_lightning.evaluation.features import Extractor
from gan_lightning.files import file_lock, socket_timeout

UNREADABLE = (OSError, RuntimeError, EOFError, pickle.UnpicklingError)
Layer = Literal["64", "192", "768", "2048"]


class Inception(Extractor):
    """Inception-v3 of 2015, ported from TensorFlow by torch-fidelity: the features of "FID" in papers.

    Images keep their size, and gray ones become color; the network itself resizes them to 299 x 299, as TensorFlow did.

    Args:
        weights: The path of the weights; None: torch-fidelity's weights, downloaded once.
        layer: The layer whose spatial means are the features; published metrics use 2048.

    Raises:
        UserError: In the constructor, if torch-fidelity is missing, or the weights are missing and not downloadable.
    """

    name = "inception"
    BATCH = 50

    def __init__(self, weights: str | None = None, layer: Layer = "2048") -> None:
        super().__init__()
        self.layer = layer
        self.name = "inception" if layer == "2048" else f"inception, layer {layer}"
        self.weights = self._weights_file(weights)

    def load(self, data: ImageData) -> tuple[nn.Module, tuple[int, ...]]:
        try:
            return _Network(self.weights, self.layer), (3, *data.image_shape[1:])
        except RuntimeError as error:
            raise UserError(f"{self.weights} contains weights of another network: {error}"[:500]) from error

    @property
    def resize(self) -> str:
        return "to 299 x 299, bilinear as in TensorFlow 1"

    def _weights_file(self, weights: str | None) -> Path:
        """The path of the weights, after a check that they load with `weights_only=True`."""
        try:
            from torch_fidelity.feature_extractor_inceptionv3 import URL_INCEPTION_V3
        except ImportError as error:
            raise UserError("metrics=inception needs torch-fidelity: pip install 'gan_lightning[inception]'") from error
        path = (
            Path(weights) if weights else Path(torch.hub.get_dir(), "checkpoints", os.path.basename(URL_INCEPTION_V3))
        )
        if weights is None:
            _fetch(URL_INCEPTION_V3, path)
        try:
            torch.load(path, map_location="meta", weights_only=True)
        except UNREADABLE as error:
            raise UserError(
                f"callbacks.evaluation.extractor.weights={weights}: {path.absolute()} is missing, or no weights. "
                f"Expected those of {URL_INCEPTION_V3}"
            ) from error
        return path


def _fetch(url: str, path: Path) -> None:
    """Downloads a file, unless it is there and whole: its name ends in the first digits of its SHA-256."""
    prefix = path.stem.rpartition("-")[2]

    def is_whole() -> bool:
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest().startswith(prefix)

    if is_whole():
        return
    with file_lock(path):
        if is_whole():  # another process has fetched it meanwhile
            return
        if path.is_file():
            print(f"{path} is damaged: its SHA-256 does not begin with {prefix}. It is downloaded again")
        for left in path.parent.glob(f"{path.name}.*.partial"):
            left.unlink()  # of a process that was killed
        try:
            with socket_timeout(10):
                torch.hub.download_url_to_file(url, str(path), prefix)
        except UNREADABLE as error:
            raise UserError(
                f"metrics=inception: {path} is missing or damaged, and the download failed ({error}). Fetch {url} "
                "where there is a network, then put it there or set callbacks.evaluation.extractor.weights=FILE "
                "(gan-evaluate: --weights FILE). Or choose metrics=classifier, which needs no network"
            ) from error


class _Network(nn.Module):
    def __init__(self, weights: Path, layer: Layer) -> None:
        super().__init__()
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        outputs = [layer, "logits_unbiased"] if layer == "2048" else [layer]
        self.inception = FeatureExtractorInceptionV3("inception-v3-compat", outputs, str(weights))

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        outputs = self.inception(images)
        return outputs[0], outputs[1] if len(outputs) == 2 else None
