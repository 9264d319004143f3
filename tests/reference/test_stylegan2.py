"""StyleGAN2's networks and path length with the authors' weights beside their code."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.losses import Generated, PathLength
from gan_lightning.networks import MinibatchStd, StyleGAN2Discriminator, StyleGAN2Generator
from gan_lightning.networks.modulation import SynthesisBlock, ToImage
from tests.reference.names import Tensors, renamed
from tests.reference.recordings import Check, Difference, Recording, check, difference, gradient_difference
from tests.reference.test_networks import compare

KIND = "stylegan2"
SIZES = (4, 8, 16)


def modulated(theirs: str, ours: str) -> dict[str, str]:
    """A modulated convolution, with noise or without; the two have its bias."""
    parts = {"weight": "conv.weight", "affine": "conv.affine", "bias": "bias", "noise_const": "noise"}
    return {f"{theirs}.{name}": f"{ours}.{part}" for name, part in parts.items()} | {
        f"{theirs}.noise_strength": f"{ours}.noise_strength"
    }


def of_mapping(prefix: str = "") -> dict[str, str]:
    layers = {f"{prefix}fc{index}": f"mapping.{2 * index}" for index in range(3)}
    return layers | {f"{prefix}embed": "embedding.0", f"{prefix}w_avg": "w_mean"}


def of_generator(tensors: Tensors) -> dict[str, Tensor]:
    modules = of_mapping("mapping.") | {"synthesis.b4.const": "const"}
    imaged = [size for size in SIZES if f"synthesis.b{size}.torgb.weight" in tensors]
    for index, size in enumerate(SIZES):
        block = f"synthesis.b{size}"
        for layer in ("conv0", "conv1") if index else ("conv1",):
            modules |= modulated(f"{block}.{layer}", f"blocks.{index}.layers.{layer[-1] if index else 0}")
        modules |= {f"{block}.skip": f"blocks.{index}.shortcut.0"}
        if size in imaged:
            modules |= modulated(f"{block}.torgb", f"to_image.{imaged.index(size)}")
    return renamed(tensors, modules)


def of_discriminator(tensors: Tensors, statistics: bool) -> dict[str, Tensor]:
    last = int(statistics)  # minibatch standard deviation stands before the last convolution
    modules = {f"b4.{name}": f"body.last.{last + place}" for name, place in (("conv", 0), ("fc", 3))}
    modules |= {"b4.out": "head.linear", "mapping.embed": "head.embedding.0.0"}
    modules |= {f"mapping.fc{index}": f"head.embedding.1.{2 * index}" for index in range(2)}
    for index, size in enumerate(SIZES[::-1]):
        modules |= {
            f"b{size}.fromrgb": f"body.from_image.{index}.0",
            f"b{size}.skip": f"body.blocks.{index}.shortcut.1",
        }
        if size > 4:
            modules |= {f"b{size}.conv{layer}": f"body.blocks.{index}.layers.{3 * layer}" for layer in (0, 1)}
    return renamed(tensors, modules)


def loaded(network: nn.Module, weights: Tensors) -> nn.Module:
    """The network in float64 with these weights under our names; what they lack is of other recordings."""
    assert not network.double().load_state_dict(dict(weights), strict=False).unexpected_keys
    return network


def one_hot(recording: Recording) -> list[Tensor]:
    return [torch.eye(3, dtype=torch.float64)[recording["classes"]]] if "classes" in recording.tensors else []


def generator(classes: int = 0, **more) -> StyleGAN2Generator:
    options = {"channels": [3, 3, 2], "w_dim": 4, "mapping_layers": 2, "bounded": False} | more
    return StyleGAN2Generator(3, [1, 16, 16], condition_dim=classes, **options)


def mapping(recording: Recording) -> Difference:
    """In training, when w moves its mean."""
    network = StyleGAN2Generator(4, [1, 16, 16], 2, w_dim=5, mapping_layers=3, style_mixing=0.0, condition_dim=3)
    to_ours = partial(renamed, modules=of_mapping())
    loaded(network, to_ours(recording.group("weights")))
    w_of = network.styles
    network.forward = lambda z, condition: w_of(z, condition)[:, 0]
    found = compare(recording, network, to_ours, *one_hot(recording))
    return Difference(max(found.values, difference([network.w_mean], [recording["w_avg_after"]])), found.gradients)


def synthesis_block(recording: Recording) -> Difference:
    parts = nn.ModuleDict({"block": SynthesisBlock(2, 3, 8, 4, True, False, True), "image": ToImage(3, 1, 4)}).eval()
    modules = {
        **modulated("conv0", "block.layers.0"),
        **modulated("conv1", "block.layers.1"),
        **modulated("torgb", "image"),
    }
    loaded(parts, renamed(recording.group("weights"), modules))
    x, ws = recording["x"].requires_grad_(), recording["ws"].requires_grad_()
    y = parts["block"](x, ws.unbind(1)[:2])
    image = generator().upsample.double()(recording["image"]) + parts["image"](y, ws[:, 2])
    output = torch.cat([y.flatten(), image.flatten()])
    value = (torch.cos(torch.arange(output.numel(), dtype=output.dtype)) * output).sum()
    of = dict(parts.named_parameters()) | {"x": x, "ws": ws}
    theirs = renamed(recording.group("gradients"), modules)
    theirs |= {"x": recording["x_gradient"], "ws": recording["ws_gradient"]}
    values = difference([y, image], [recording["output"], recording["image_output"]])
    return Difference(values, gradient_difference(value, of, theirs))


def whole_generator(form: str, classes: int, recording: Recording) -> Difference:
    network = loaded(generator(classes, form=form), of_generator(recording.group("weights"))).eval()
    return compare(recording, network, of_generator, *one_hot(recording))


def discriminator(form: str, classes: int, statistics: bool, recording: Recording) -> Difference:
    """The logits, and R1, each with its gradients."""
    std = MinibatchStd(group_size=2) if statistics else None
    network = StyleGAN2Discriminator([1, 16, 16], 4, [2, 3, 3], form, 2, std, condition_dim=classes)
    to_ours = partial(of_discriminator, statistics=statistics)
    loaded(network, to_ours(recording.group("weights")))
    found = compare(recording, network, to_ours, *one_hot(recording))
    images = recording["input"].detach().requires_grad_()
    slopes = torch.autograd.grad(network(images, *one_hot(recording)).sum(), images, create_graph=True)[0]
    r1 = slopes.square().sum((1, 2, 3))
    gradients = gradient_difference(
        r1.mean(), dict(network.named_parameters()), to_ours(recording.group("r1_gradients"))
    )
    values = max(found.values, difference([r1], [recording["r1"]]))
    return Difference(values, max(found.gradients or 0.0, gradients))


def path_length(recording: Recording) -> Difference:
    """Theirs takes the first half of the latents, ours every second."""
    network = loaded(generator(3, noise=False, style_mixing=0.0), of_generator(recording.group("weights")))
    part = PathLength(weight=2.0).double()
    part.mean.copy_(recording["mean"])
    order = torch.tensor([0, 2, 1, 3])
    noise = recording["noise"][torch.tensor([0, 0, 1, 1])]

    def draw_noise(draw, *shape: int) -> Tensor:
        assert (draw, shape) == (torch.randn, noise.shape[1:])
        return noise

    z, condition = recording["z"][order], one_hot(recording)[0][order]
    value = 4 * part(network, Generated(network(z, condition), z, condition, draw_noise))
    theirs = {name: slope for name, slope in recording.group("gradients").items() if slope.any()}  # no biases of images
    gradients = gradient_difference(value, dict(network.named_parameters()), of_generator(theirs))
    return Difference(difference([value, part.mean], [recording["value"], recording["mean_after"]]), gradients)


CHECKS: dict[str, Check] = {
    "mapping": mapping,
    "synthesis_block": synthesis_block,
    "generator": partial(whole_generator, "skip", 3),
    "generator_residual": partial(whole_generator, "residual", 0),
    "generator_plain": partial(whole_generator, "plain", 0),
    "discriminator": partial(discriminator, "residual", 0, True),
    "discriminator_conditional": partial(discriminator, "plain", 3, True),
    "discriminator_skip": partial(discriminator, "skip", 0, False),
    "path_length": path_length,
}


@pytest.mark.parametrize("name", CHECKS)
def test_as_recorded(name):
    check(KIND, name, CHECKS[name])
