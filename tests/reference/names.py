"""The names of the authors' weights, and ours. Each function takes weights or their gradients by name."""

from collections.abc import Callable, Mapping

from torch import Tensor
from torch.nn.functional import normalize

Tensors = Mapping[str, Tensor]
Names = Callable[[Tensors], dict[str, Tensor]]


def renamed(tensors: Tensors, modules: Mapping[str, str]) -> dict[str, Tensor]:
    """Replaces the names of modules, the longest first; every name has to begin with one of them."""
    found = {}
    for name, value in tensors.items():
        module = max((module for module in modules if f"{name}.".startswith(f"{module}.")), key=len)
        found[(modules[module] + name[len(module) :]).strip(".")] = value
    return found


def normalized(tensors: Tensors) -> dict[str, Tensor]:
    """The names of spectrally normalized weights in torch's older implementation, and in its newer one."""
    parts = {
        "weight_orig": "parametrizations.weight.original",
        "weight_u": "parametrizations.weight.0._u",
        "weight_v": "parametrizations.weight.0._v",
    }
    return {
        f"{name.rpartition('.')[0]}.{parts.get(name.rpartition('.')[2], name.rpartition('.')[2])}": value
        for name, value in tensors.items()
    }


def _block(theirs: str, ours: str, parts: Mapping[str, str]) -> dict[str, str]:
    return {f"{theirs}.{name}": f"{ours}.{part}" for name, part in parts.items()}


GENERATOR_BLOCK = {
    "b1": "first_norm.norm",
    "c1": "first.2",
    "b2": "second_norm.norm",
    "c2": "second.1",
    "c_sc": "shortcut.0",
}
FIRST_BLOCK = {"c1": "residual.0", "c2": "residual.2", "c_sc": "shortcut.1"}
BLOCK = {"c1": "residual.1", "c2": "residual.3", "c_sc": "shortcut.1"}
STUDIO = {"b1": "bn1", "b2": "bn2", "c1": "conv2d1", "c2": "conv2d2", "c_sc": "conv2d0"}
"""The same parts in mimicry and in StudioGAN."""


def mimicry_generator(tensors: Tensors) -> dict[str, Tensor]:
    """SNGAN, WGAN-GP, and cGAN-PD, whose batch norm embeds scale and shift."""
    modules = {"l1": "first.0", "b5": "last.0", "c5": "last.2"}
    for index in range(3):
        modules |= _block(f"block{index + 2}", f"blocks.{index}", GENERATOR_BLOCK)
        for norm, ours in (("b1", "first_norm"), ("b2", "second_norm")):
            modules[f"block{index + 2}.{norm}.bn"] = f"blocks.{index}.{ours}.norm"
            modules[f"block{index + 2}.{norm}.embed"] = f"blocks.{index}.{ours}.affine"
    return {name: value.T if ".affine." in name else value for name, value in renamed(tensors, modules).items()}


def mimicry_discriminator(tensors: Tensors) -> dict[str, Tensor]:
    """SNGAN, WGAN-GP and cGAN-PD, whose embedding is the transpose of our projection."""
    modules = _block("block1", "body.0", FIRST_BLOCK) | {"l5": "head.linear", "l_y": "head.projection"}
    for index in (1, 2, 3):
        modules |= _block(f"block{index + 1}", f"body.{index}", BLOCK)
    found = normalized(renamed(tensors, modules))
    if "head.projection.weight" not in found:
        return found
    own = {name: found.pop(name) for name in list(found) if name.startswith("head.")}
    return found | _own_normalization(own, "head.linear") | _transposed(_own_normalization(own, "head.projection"))


def _own_normalization(tensors: Tensors, module: str) -> dict[str, Tensor]:
    """Mimicry's own spectral normalization stores u alone, and goes one step of the power method further in a call."""
    name = f"{module}.parametrizations.weight"
    found = {f"{name}.original": tensors[f"{module}.weight"]}
    if f"{module}.bias" in tensors:
        found[f"{module}.bias"] = tensors[f"{module}.bias"]
    if f"{module}.sn_u" in tensors:
        weight = tensors[f"{module}.weight"]
        v = normalize(tensors[f"{module}.sn_u"] @ weight)
        found |= {f"{name}.0._u": normalize(v @ weight.T).squeeze(0), f"{name}.0._v": v.squeeze(0)}
    return found


def _transposed(tensors: Tensors) -> dict[str, Tensor]:
    """Those of a linear layer of one-hot vectors in place of an embedding: u and v change places."""
    swapped = {"_u": "_v", "_v": "_u"}
    return {
        name[:-2] + swapped.get(name[-2:], name[-2:]): value.T if value.ndim == 2 else value
        for name, value in tensors.items()
    }


wgan_gp_discriminator = mimicry_discriminator
"""The same names without spectral normalization."""


def studio_generator(tensors: Tensors) -> dict[str, Tensor]:
    modules = {"linear0": "first.0", "bn4": "last.0", "conv2d5": "last.2"}
    for index in range(3):
        parts = {STUDIO[name]: ours for name, ours in GENERATOR_BLOCK.items()}
        modules |= _block(f"blocks.{index}.0", f"blocks.{index}", parts)
    return renamed(tensors, modules)


def studio_discriminator(tensors: Tensors) -> dict[str, Tensor]:
    modules = {"linear1": "head.linear"}
    for index, parts in enumerate([FIRST_BLOCK, BLOCK, BLOCK, BLOCK]):
        modules |= _block(f"blocks.{index}.0", f"body.{index}", {STUDIO[name]: ours for name, ours in parts.items()})
    return normalized(renamed(tensors, modules))


def dcgan_generator(tensors: Tensors) -> dict[str, Tensor]:
    """Their first layer is a transposed convolution of one pixel, ours is linear."""
    layers = {0: 0, 1: 2, 3: 4, 4: 5, 6: 7, 7: 8, 9: 10, 10: 11, 12: 13}
    found = renamed(tensors, {f"main.{theirs}": f"layers.{ours}" for theirs, ours in layers.items()})
    return found | {"layers.0.weight": found["layers.0.weight"].flatten(1).T}


def dcgan_discriminator(tensors: Tensors) -> dict[str, Tensor]:
    """Their last layer is a convolution of the whole map, ours is linear."""
    return renamed(tensors, {"main": "body", "main.11": "head.linear"})


def mlp_generator(tensors: Tensors) -> dict[str, Tensor]:
    return renamed(tensors, {"main": "layers"})


def mlp_discriminator(tensors: Tensors) -> dict[str, Tensor]:
    """Our body begins with the layer that flattens."""
    return renamed(tensors, {"main.0": "body.1", "main.2": "body.3", "main.4": "body.5", "main.6": "head.linear"})


def _r3gan_block(theirs: str, ours: str) -> dict[str, str]:
    parts = {
        "LinearLayer1.Layer": "layers.0",
        "NonLinearity1.Bias": "layers.0.bias",
        "LinearLayer2.Layer": "layers.2",
        "NonLinearity2.Bias": "layers.2.bias",
        "LinearLayer3.Layer": "layers.4",
    }
    return _block(theirs, ours, parts)


def r3gan_generator(tensors: Tensors) -> dict[str, Tensor]:
    """Three stages of two blocks, of which the third has other channels."""
    first = "MainLayers.0.Layers.0"
    modules = {f"{first}.Basis": "basis", f"{first}.LinearLayer": "modulation"}
    modules |= {"MainLayers.2.Layers.0.LinearLayer.Layer": "layers.5", "AggregationLayer.Layer": "layers.9"}
    for stage, ours in enumerate([(0, 1), (3, 4), (7, 8)]):
        for block, index in enumerate(ours):
            modules |= _r3gan_block(f"MainLayers.{stage}.Layers.{block + 1}", f"layers.{index}")
    return renamed(tensors, modules)


def r3gan_discriminator(tensors: Tensors) -> dict[str, Tensor]:
    """Three stages of two blocks, of which the first has other channels."""
    last = "MainLayers.2.Layers.2"
    modules = {f"{last}.Basis": "body.10", f"{last}.LinearLayer": "head.linear"}
    modules |= {"ExtractionLayer.Layer": "body.0", "MainLayers.0.Layers.2.LinearLayer.Layer": "body.4"}
    for stage, ours in enumerate([(1, 2), (5, 6), (8, 9)]):
        for block, index in enumerate(ours):
            modules |= _r3gan_block(f"MainLayers.{stage}.Layers.{block}", f"body.{index}")
    return renamed(tensors, modules)
