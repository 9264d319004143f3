"""Networks with the authors' weights beside the authors' networks."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn

from gan_lightning.networks import MinibatchDiscrimination
from tests.reference import names, networks
from tests.reference.names import Names
from tests.reference.recordings import Check, Difference, Recording, check, difference, gradient_difference

KIND = "networks"


def compare(recording: Recording, network: nn.Module, to_ours: Names, *condition: Tensor) -> Difference:
    """The output, and the gradients of a weighted sum of it."""
    given = recording["input"].requires_grad_()
    output = network(given, *condition)
    weights = torch.cos(torch.arange(output.numel(), dtype=output.dtype)).view(output.shape)
    of = dict(network.named_parameters()) | {"input": given}
    theirs = to_ours(recording.group("gradients")) | {"input": recording["input_gradient"]}
    gradients = gradient_difference((weights * output).sum(), of, theirs)
    return Difference(difference([output], [recording["output"]]), gradients)


def by_name(name: str, recording: Recording) -> Difference:
    """The network and its names have the same name in both modules."""
    network = getattr(networks, name)(recording.group("weights"))
    return compare(recording, network, getattr(names, name))


def sngan_discriminator(recording: Recording) -> Difference:
    network = networks.sngan_discriminator(recording.group("weights")).eval()  # the power method rests
    return compare(recording, network, names.mimicry_discriminator)


def minibatch_discrimination(recording: Recording) -> Difference:
    layer = MinibatchDiscrimination(4, kernels=5, kernel_dim=3).double()
    layer.load_state_dict({"weight": recording["weights/T"].flatten(1)})
    return compare(recording, layer, lambda gradients: {"weight": gradients["T"]})


CHECKS: dict[str, Check] = {
    "sngan_generator": partial(by_name, "mimicry_generator"),
    "sngan_discriminator": sngan_discriminator,
    "wgan_gp_discriminator": partial(by_name, "wgan_gp_discriminator"),
    "r3gan_generator": partial(by_name, "r3gan_generator"),
    "r3gan_discriminator": partial(by_name, "r3gan_discriminator"),
    "dcgan_generator": partial(by_name, "dcgan_generator"),
    "dcgan_discriminator": partial(by_name, "dcgan_discriminator"),
    "studiogan_generator": partial(by_name, "studio_generator"),
    "mlp_generator": partial(by_name, "mlp_generator"),
    "mlp_discriminator": partial(by_name, "mlp_discriminator"),
    "minibatch_discrimination": minibatch_discrimination,
}


@pytest.mark.parametrize("name", CHECKS)
def test_as_recorded(name):
    check(KIND, name, CHECKS[name])
