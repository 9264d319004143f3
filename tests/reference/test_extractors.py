"""Feature extractors with weights in the authors' layout beside the authors' networks."""

import numpy as np
import pytest
import torch
from torch import Tensor

from gan_lightning.evaluation.dinov2 import vision_transformer
from tests.reference.recordings import Check, Difference, Recording, check, difference

KIND = "extractors"


def drawn(shape: tuple[int, ...], seed: int) -> Tensor:
    """Numbers that are not recorded, for they are many: numpy promises that this generator stays as it is."""
    return torch.from_numpy(np.random.RandomState(seed).standard_normal(shape))


def dinov2_weights(width: int, depth: int, patches: int) -> dict[str, Tensor]:
    """Random weights under the authors' names."""
    block = {
        **{f"{norm}.{part}": (width,) for norm in ("norm1", "norm2") for part in ("weight", "bias")},
        **{f"{scale}.gamma": (width,) for scale in ("ls1", "ls2")},
        **{"attn.qkv.weight": (3 * width, width), "attn.qkv.bias": (3 * width,)},
        **{"attn.proj.weight": (width, width), "attn.proj.bias": (width,)},
        **{"mlp.fc1.weight": (4 * width, width), "mlp.fc1.bias": (4 * width,)},
        **{"mlp.fc2.weight": (width, 4 * width), "mlp.fc2.bias": (width,)},
    }
    shapes = {
        **{f"blocks.{number}.{name}": shape for number in range(depth) for name, shape in block.items()},
        **{"cls_token": (1, 1, width), "mask_token": (1, width), "norm.bias": (width,), "norm.weight": (width,)},
        **{"patch_embed.proj.bias": (width,), "patch_embed.proj.weight": (width, 3, 14, 14)},
        "pos_embed": (1, 1 + patches**2, width),
    }
    return {name: drawn(shapes[name], number) / 8 for number, name in enumerate(sorted(shapes))}


def dinov2(recording: Recording) -> Difference:
    """Its positions are those of images of 518 pixels, 37 x 37 patches, and are interpolated."""
    network = vision_transformer(dinov2_weights(128, 2, 37)).eval()
    with torch.inference_mode():
        return Difference(difference([network(drawn((2, 3, 224, 224), 100))], [recording["output"]]), None)


CHECKS: dict[str, Check] = {"dinov2": dinov2}


@pytest.mark.parametrize("name", CHECKS)
def test_as_recorded(name):
    check(KIND, name, CHECKS[name])
