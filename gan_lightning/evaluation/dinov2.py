"""Features of DINOv2, whose distances agree better with people's eyes than those of Inception-v3."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn.functional import interpolate
from torchvision.models import VisionTransformer
from torchvision.transforms.functional import normalize

from gan_lightning.data.images import ImageData
from gan_lightning.errors import UserError
from gan_lightning.evaluation.features import Extractor
from gan_lightning.evaluation.resizing import clean_resized
from gan_lightning.evaluation.weights_file import UNREADABLE

SIZE, PATCH = 224, 14
HEAD_DIM = 64
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
EXPECTED = "a file such as dinov2_vitl14_pretrain.pth of facebookresearch/dinov2 (gan-evaluate: --weights FILE)"
NAMES = {
    "patch_embed.proj.": "conv_proj.",
    "cls_token": "class_token",
    "pos_embed": "encoder.pos_embedding",
    "blocks.": "encoder.layers.encoder_layer_",
    "norm1.": "ln_1.",
    "attn.qkv.": "self_attention.in_proj_",
    "attn.proj.": "self_attention.out_proj.",
    "norm2.": "ln_2.",
    "mlp.fc1.": "mlp.0.",
    "mlp.fc2.": "mlp.3.",
    "norm.": "encoder.ln.",
}
"""The authors' names of the weights, and torchvision's."""


class DINOv2(Extractor):
    """The class token of DINOv2: Oquab et al. 2023 (arXiv:2304.07193). Its FID is FD_DINOv2 in papers.

    Stein et al. 2023 (arXiv:2306.04675) found that it agrees with people better than Inception-v3 does; their code,
    dgm-eval, takes ViT-L/14. Images are resized to 224 x 224 as by its option `--clean_resize`.

    Args:
        weights: The file of ViT-S/14, B/14 or L/14 without registers, in the authors' layout: .pth or .safetensors.

    Raises:
        UserError: In the constructor, if there is no such file, or it is no file of weights.
    """

    name = "dinov2"
    BATCH = 50

    def __init__(self, weights: str | None = None) -> None:
        super().__init__()
        if weights is None:
            raise UserError(f"metrics=dinov2 needs callbacks.evaluation.extractor.weights=FILE: {EXPECTED}")
        self.path = Path(weights)
        self.weights = _read(self.path)

    def load(self, data: ImageData) -> tuple[nn.Module, tuple[int, ...]]:
        try:
            network = _Network(vision_transformer(self.weights))
        except (KeyError, RuntimeError, ValueError, IndexError) as error:
            raise UserError(
                f"{self.path} contains weights of another network than DINOv2's ViT-S/14, B/14 or L/14 without "
                f"registers: {error}"[:500]
            ) from error
        return network.eval().requires_grad_(False), (3, *data.image_shape[1:])

    @property
    def resize(self) -> str:
        return f"to {SIZE} x {SIZE}, bicubic, antialiased as in clean-fid"


def vision_transformer(weights: Mapping[str, Tensor]) -> VisionTransformer:
    """Returns torchvision's network with DINOv2's weights, in their dtype.

    torchvision has no LayerScale, a factor for each output of a linear layer: it becomes part of that layer's weights.

    Raises:
        KeyError, RuntimeError, ValueError, IndexError: They are weights of another network.
    """
    width = weights["cls_token"].shape[2]
    depth = len({name.split(".")[1] for name in weights if name.startswith("blocks.")})
    hidden = weights["blocks.0.mlp.fc1.weight"].shape[0]
    network = VisionTransformer(SIZE, PATCH, depth, width // HEAD_DIM, width, hidden).to(weights["cls_token"].dtype)
    network.heads = nn.Identity()  # type: ignore[assignment]
    state = {}
    for name, tensor in weights.items():
        for layer, scale in (("attn.proj", "ls1"), ("mlp.fc2", "ls2")):
            if f".{layer}." in name:
                gamma = weights[f"{name.partition(layer)[0]}{scale}.gamma"]
                tensor = gamma.unsqueeze(1) * tensor if tensor.ndim == 2 else gamma * tensor
        if not name.endswith((".gamma", "mask_token")):
            new_name = functools.reduce(lambda text, names: text.replace(*names), NAMES.items(), name)
            state[new_name] = _positions(tensor) if name == "pos_embed" else tensor
    network.load_state_dict(state)
    return network


def _positions(embedding: Float[Tensor, "1 n width"]) -> Float[Tensor, "1 m width"]:
    """Interpolates the embeddings of the patches of larger images, as the authors' code does."""
    patches, wanted = round((embedding.shape[1] - 1) ** 0.5), SIZE // PATCH
    if patches == wanted:
        return embedding
    grid = embedding[:, 1:].unflatten(1, (patches, patches)).permute(0, 3, 1, 2)
    factor = (wanted + 0.1) / patches  # theirs, against rounding to one patch less
    resized = interpolate(grid, scale_factor=(factor, factor), mode="bicubic")
    return torch.cat([embedding[:, :1], resized.flatten(2).transpose(1, 2)], 1)


class _Network(nn.Module):
    def __init__(self, transformer: VisionTransformer) -> None:
        super().__init__()
        self.transformer = transformer

    def forward(self, images: UInt8[Tensor, "n 3 height width"]) -> tuple[Float[Tensor, "n dimensions"], None]:
        return self.transformer(normalize(clean_resized(images, SIZE) / 255, MEAN, DEVIATION)), None


def _read(path: Path) -> dict[str, Tensor]:
    """The weights in a file; nothing in it can run code."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        weights = torch.load(path, map_location="cpu", weights_only=True)
        if isinstance(weights, dict) and all(isinstance(value, Tensor) for value in weights.values()):
            return weights
    except (*UNREADABLE, SafetensorError) as error:
        raise UserError(f"{path.absolute()} is missing, or no weights. Expected {EXPECTED}") from error
    raise UserError(f"{path.absolute()} contains no weights by name. Expected {EXPECTED}")
