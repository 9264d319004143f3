"""Convolutions with their channels last in memory: the same losses and gradients, checkpoints of either format."""

from functools import partial

import pytest
import torch
from torch import nn

from gan_lightning.losses import penalties
from gan_lightning.losses.terms import total
from gan_lightning.models import GAN, SNGAN
from gan_lightning.models.draws import Draws
from gan_lightning.models.step import Batch
from gan_lightning.networks import DCGANDiscriminator, DCGANGenerator, ResNetDiscriminator, ResNetGenerator
from tests.conftest import training_differences

SHAPE = [3, 16, 16]
FAMILIES = {"dcgan": (DCGANGenerator, DCGANDiscriminator), "resnet": (ResNetGenerator, ResNetDiscriminator)}
SMALL = ("network=dcgan", "network.generator.base_channels=2", "network.discriminator.base_channels=2")
QUIET = ("callbacks.progress=null", "callbacks.samples=null", "logger=csv")
RUN = ("trainer=cpu", *SMALL, *QUIET, "data.image_shape=[3,16,16]", "data.limit=64", "data.batch_size=16")


def model_of(family, kind=GAN, **options):
    torch.manual_seed(0)
    generator, discriminator = (network for network in FAMILIES[family])
    r1 = {"r1": partial(penalties.r1, weight=1.0), "r2": partial(penalties.r2, weight=1.0)}
    model = kind(generator(4, SHAPE, base_channels=3), discriminator(SHAPE, base_channels=3), penalties=r1, **options)
    return model.double()


def kernels(module):
    return [parameter for parameter in module.parameters() if parameter.ndim == 4]


@pytest.mark.parametrize("kind", [GAN, SNGAN])
@pytest.mark.parametrize("family", FAMILIES)
def test_losses_and_second_derivatives_are_the_same(family, kind):
    first, last = model_of(family, kind, channels_last=False), model_of(family, kind)
    first.load_state_dict(last.state_dict())
    last.track_ema()
    assert all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels(last))
    assert kernels(last.generator_ema)
    assert not all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels(first))
    real = Batch(torch.rand(4, *SHAPE, dtype=torch.float64), None)
    for player, network in last.networks().items():
        found, expected = (
            torch.autograd.grad(
                total(model.losses((player,), real, Draws(0, 0, torch.device("cpu")))["terms"][player]),
                list(model.networks()[player].parameters()),
                materialize_grads=True,
            )
            for model in (last, first)
        )
        for parameter, ours, theirs in zip(network.parameters(), found, expected, strict=True):
            assert ours.shape == parameter.shape
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


def test_feature_maps_have_their_channels_last():
    discriminator, seen = model_of("dcgan").discriminator, []
    for layer in discriminator.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda layer, arguments, output: seen.append(output))
    discriminator(torch.randn(2, *SHAPE, dtype=torch.float64))
    assert seen
    assert all(output.is_contiguous(memory_format=torch.channels_last) for output in seen)


def test_the_state_of_an_optimizer_in_the_other_format_goes_on_alike():
    """Fused Adam reads weights and state in the order of memory, whatever their strides."""
    weights = []
    for contiguous in (False, True):
        model = model_of("dcgan")
        model.optimizer = partial(torch.optim.Adam, fused=True)
        optimizers = model.configure_optimizers()[0]
        torch.manual_seed(1)
        for _ in range(2):
            states = [optimizer.state_dict() for optimizer in optimizers]
            if contiguous:
                for state in states:
                    for values in state["state"].values():
                        values |= {name: value.contiguous() for name, value in values.items()}
            checkpoint = {"optimizer_states": states}
            model.on_load_checkpoint(checkpoint)
            for optimizer, state in zip(optimizers, checkpoint["optimizer_states"], strict=True):
                optimizer.load_state_dict(state)
                for parameter in optimizer.param_groups[0]["params"]:
                    parameter.grad = torch.empty_like(parameter).copy_(torch.randn(parameter.shape))
                optimizer.step()
        weights.append([parameter.detach().clone() for parameter in model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))


@pytest.mark.slow
def test_a_resumed_run_is_exact(train):
    whole = train("whole", *RUN, "trainer.max_steps=4")
    assert whole.code == 0, whole.output
    train("parts", *RUN, "trainer.max_steps=2")
    parts = train("parts", f"resume={whole.folder.parent / 'parts'}", "trainer.max_steps=4")
    assert parts.code == 0, parts.output
    assert training_differences(parts, whole) == []
    kernel = parts.checkpoint["state_dict"]["generator.layers.4.weight"]
    assert kernel.is_contiguous(memory_format=torch.channels_last)
