"""BigGAN's networks and self-attention beside StudioGAN's, orthogonal regularization beside the authors' code."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot
from torch.nn.utils.parametrizations import _SpectralNorm

from gan_lightning.losses import Generated, OrthogonalRegularizer
from gan_lightning.models.sngan import spectrally_normalized
from gan_lightning.networks import BigGANDiscriminator, BigGANGenerator, SelfAttention
from gan_lightning.networks.resnet import DiscriminatorBlock
from tests.reference.names import BLOCK, FIRST_BLOCK, GENERATOR_BLOCK, STUDIO, Tensors, normalized, renamed
from tests.reference.recordings import Check, Difference, Recording, check, gradient_difference, load_weights
from tests.reference.test_networks import compare

KIND = "biggan"
ATTENTION = {f"conv1x1_{name}": name for name in ("theta", "phi", "g")} | {"conv1x1_attn": "o", "sigma": "gamma"}
NORM = {"bn": "norm", "gain": "scale", "bias": "shift"}


def inside(theirs: str, ours: str, parts: Tensors) -> dict[str, str]:
    """Names of parts inside of a module."""
    return {f"{theirs}.{name}": f"{ours}.{part}" for name, part in parts.items()}


def generator_names(tensors: Tensors) -> dict[str, Tensor]:
    """Their embedding is the transpose of ours."""
    modules = {"linear0": "first.0", "bn4": "last.0", "conv2d5": "last.2", "shared": "embedding"}
    modules |= inside("blocks.2.0", "attention", ATTENTION)
    for theirs, ours in ((0, 0), (1, 1), (3, 2)):
        modules |= inside(f"blocks.{theirs}.0", f"blocks.{ours}", {STUDIO[n]: p for n, p in GENERATOR_BLOCK.items()})
        for norm in ("first", "second"):
            place = f"blocks.{theirs}.0.bn{1 + (norm == 'second')}"
            modules |= inside(place, f"blocks.{ours}.{norm}_norm", NORM)
    found = normalized(renamed(tensors, modules))
    return {name: value.T if name == "embedding.weight" else value for name, value in found.items()}


def discriminator_names(tensors: Tensors) -> dict[str, Tensor]:
    """Their embedding is the transpose of our projection, so that the vectors of the power method change places."""
    modules = {"linear1": "head.linear", "embedding": "head.projection"} | inside("blocks.1.0", "body.1", ATTENTION)
    for index, parts in ((0, FIRST_BLOCK), (2, BLOCK), (3, BLOCK), (4, BLOCK)):
        modules |= inside(f"blocks.{index}.0", f"body.{index}", {STUDIO[name]: part for name, part in parts.items()})
    found = normalized(renamed(tensors, modules))
    weight = "head.projection.parametrizations.weight"
    turned = {f"{weight}.original": found[f"{weight}.original"].T}
    if f"{weight}.0._u" in found:
        turned |= {f"{weight}.0._u": found[f"{weight}.0._v"], f"{weight}.0._v": found[f"{weight}.0._u"]}
    return found | turned


def at_rest(network: nn.Module, weights: Tensors) -> nn.Module:
    """Batch norm is in training, and the power method rests; eps is StudioGAN's."""
    load_weights(spectrally_normalized(network), weights)
    for layer in network.train().modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 1e-4
        elif isinstance(layer, _SpectralNorm):
            layer.eval()
    return network


def condition(recording: Recording) -> Tensor:
    return one_hot(recording["label"], 3).double()


def generator(recording: Recording) -> Difference:
    options = {"channels": [8, 8, 8], "condition_dim": 3, "label_embedding_dim": 3, "attention": 16}
    network = at_rest(BigGANGenerator(16, [3, 32, 32], **options), generator_names(recording.group("weights")))
    return compare(recording, network, generator_names, condition(recording))


def discriminator(recording: Recording) -> Difference:
    """StudioGAN's ReLU works in place, so that from the second block on the shortcuts get its output."""
    options = {"channels": [8, 8, 8, 8], "num_downsamples": 2, "condition_dim": 3, "attention": 16}
    network = at_rest(BigGANDiscriminator([3, 32, 32], **options), discriminator_names(recording.group("weights")))
    for block in network.body[1:]:
        if isinstance(block, DiscriminatorBlock):
            block.shortcut.register_forward_pre_hook(lambda _, inputs: (inputs[0].relu(),))
    return compare(recording, network, discriminator_names, condition(recording))


def self_attention(recording: Recording) -> Difference:
    layer, to_ours = SelfAttention(16), partial(renamed, modules=ATTENTION)
    load_weights(layer, to_ours(recording.group("weights")))
    return compare(recording, layer, to_ours)


def orthogonal(recording: Recording) -> Difference:
    """Their gradient is half of the paper's formula's; it has no value. An embedding is left out."""
    parts = {"embedding": nn.Embedding(3, 4), "linear": nn.Linear(4, 6), "conv": nn.Conv2d(5, 4, 3)}
    network, to_ours = nn.ModuleDict(parts), partial(renamed, modules={"shared": "embedding"} | {n: n for n in parts})
    load_weights(network, to_ours(recording.group("weights")))
    nothing = Generated(torch.zeros(2, 1), torch.zeros(2, 4), None, torch.randn)
    value = OrthogonalRegularizer(weight=1e-4 / 2)(network, nothing)
    theirs = to_ours(recording.group("gradients"))
    assert not theirs.pop("embedding.weight").any()
    theirs = {name: gradient for name, gradient in theirs.items() if gradient.ndim > 1}
    return Difference(0.0, gradient_difference(value, dict(network.named_parameters()), theirs))


CHECKS: dict[str, Check] = {
    "self_attention": self_attention,
    "generator": generator,
    "discriminator": discriminator,
    "orthogonal": orthogonal,
}


@pytest.mark.parametrize("name", CHECKS)
def test_as_recorded(name):
    check(KIND, name, CHECKS[name])
