"""Features of the Inception-v3 network, which published metrics use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import UInt8
from torch import Tensor, nn
from torch.nn.functional import adaptive_avg_pool2d

from gan_lightning.data.images import ImageData
from gan_lightning.errors import UserError
from gan_lightning.evaluation.features import Extractor
from gan_lightning.evaluation.resizing import clean_resized, tensorflow_resized
from gan_lightning.evaluation.weights_file import UNREADABLE, fetch

Layer = Literal["64", "192", "768", "2048"]
ENDS = {"64": "MaxPool_1", "192": "MaxPool_2", "768": "Mixed_6e", "2048": "AvgPool"}
"""The module of torch-fidelity's Inception that each layer ends with."""
Resizing = Literal["tensorflow", "clean"]
SIZE = 299


class Inception(Extractor):
    """Inception-v3 of 2015, ported from TensorFlow by torch-fidelity: the features of "FID" in papers.

    Images keep their size, and gray ones become color; the network itself resizes them to 299 x 299.

    Args:
        weights: The path of the weights; None: torch-fidelity's weights, downloaded once.
        layer: The layer whose spatial means are the features; published metrics use 2048.
        resizing: "tensorflow": bilinear, with aliasing, as in most publications. "clean": bicubic, antialiased, as in
            clean-fid, Parmar et al. 2022 (arXiv:2104.11222). Metrics of one cannot be compared with those of the other.
        spatial: Whether there are spatial features for sFID, too: 7 channels of a layer of 17 x 17 places.

    Raises:
        UserError: In the constructor, if torch-fidelity is missing, the weights are missing and not downloadable, or
            spatial features are asked of another layer than 2048.
    """

    name = "inception"
    BATCH = 50

    def __init__(
        self,
        weights: str | None = None,
        layer: Layer = "2048",
        resizing: Resizing = "tensorflow",
        spatial: bool = False,
    ) -> None:
        super().__init__()
        if spatial and layer != "2048":
            raise UserError(f"callbacks.evaluation.extractor.spatial=true: expected layer=2048, got layer={layer}")
        self.layer: Layer = layer
        self.resizing: Resizing = resizing
        self.spatial = spatial
        parts = ["inception", *([] if layer == "2048" else [f"layer {layer}"]), *(["spatial"] if spatial else [])]
        self.name = ", ".join(parts)
        self.weights = self._weights_file(weights)

    def load(self, data: ImageData) -> tuple[nn.Module, tuple[int, ...]]:
        try:
            return _Network(self.weights, self.layer, self.resizing, self.spatial), (3, *data.image_shape[1:])
        except RuntimeError as error:
            raise UserError(f"{self.weights} contains weights of another network: {error}"[:500]) from error

    @property
    def resize(self) -> str:
        how = "bicubic, antialiased as in clean-fid" if self.resizing == "clean" else "bilinear as in TensorFlow 1"
        return f"to {SIZE} x {SIZE}, {how}"

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
            instead = (
                "or set callbacks.evaluation.extractor.weights=FILE (gan-evaluate: --weights FILE). Or choose "
                "metrics=classifier, which needs no network"
            )
            fetch(URL_INCEPTION_V3, path, "metrics=inception", instead)
        try:
            torch.load(path, map_location="meta", weights_only=True)
        except UNREADABLE as error:
            raise UserError(
                f"callbacks.evaluation.extractor.weights={weights}: {path.absolute()} is missing, or no weights. "
                f"Expected those of {URL_INCEPTION_V3}"
            ) from error
        return path


class _Network(nn.Module):
    """Maps uint8 images to vectors, logits and spatial features, in the order of torch-fidelity's modules."""

    def __init__(self, weights: Path, layer: Layer, resizing: Resizing, spatial: bool) -> None:
        super().__init__()
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

        self.layer = layer
        self.resizing = resizing
        self.spatial = spatial
        self.inception = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"], str(weights))

    def forward(self, images: UInt8[Tensor, "n 3 height width"]) -> tuple[Tensor, Tensor | None, Tensor | None]:
        resized = clean_resized(images, SIZE) if self.resizing == "clean" else tensorflow_resized(images, SIZE)
        x, spatial = (resized - 128) / 128, None
        for name, module in self.inception.named_children():
            if self.spatial and name == "Mixed_6d":  # TensorFlow's mixed_6; its first branch is mixed_6/conv
                spatial = module.branch1x1(x)[:, :7].flatten(1)
            x = module(x)
            if name == ENDS[self.layer]:
                break
        vectors = adaptive_avg_pool2d(x, 1).flatten(1)
        return vectors, vectors @ self.inception.fc.weight.T if self.layer == "2048" else None, spatial
