"""Our networks in the sizes of the recordings, with the authors' weights."""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import _SpectralNorm

from gan_lightning.models.sngan import spectrally_normalized
from gan_lightning.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    MLPDiscriminator,
    MLPGenerator,
    R3GANDiscriminator,
    R3GANGenerator,
    ResNetDiscriminator,
    ResNetGenerator,
)
from tests.reference import names
from tests.reference.names import Tensors
from tests.reference.recordings import load_weights


def mimicry_generator(weights: Tensors, classes: int = 0) -> nn.Module:
    """Mimicry doubles by bilinear interpolation, we and SNGAN's authors by copies of the pixels."""
    network = ResNetGenerator(4, [3, 16, 16], channels=[4, 4, 4], condition_dim=classes)
    for layer in network.modules():
        if isinstance(layer, nn.Upsample):
            layer.mode, layer.align_corners = "bilinear", False
    load_weights(network, names.mimicry_generator(weights))
    return network


def _relu_before_shortcuts(network: nn.Module) -> None:
    """The ReLU of mimicry and StudioGAN works in place, so that their shortcuts get its output; ours get x itself."""
    for block in list(network.body)[1:4]:
        block.shortcut.register_forward_pre_hook(lambda _, inputs: (inputs[0].relu(),))


def sngan_discriminator(weights: Tensors, classes: int = 0, steps: int = 1) -> nn.Module:
    """`steps`: those of the power method, in training."""
    network = ResNetDiscriminator([3, 16, 16], channels=[4] * 4, num_downsamples=2, condition_dim=classes)
    return _normalized(network, names.mimicry_discriminator(weights), steps)


def _normalized(network: nn.Module, weights: Tensors, steps: int) -> nn.Module:
    load_weights(spectrally_normalized(network), weights)
    _relu_before_shortcuts(network)
    for layer in network.modules():
        if isinstance(layer, _SpectralNorm):
            layer.n_power_iterations = steps
    return network


def wgan_gp_discriminator(weights: Tensors) -> nn.Module:
    """It takes the mean over the last map, SNGAN's and ours take the sum."""
    network = ResNetDiscriminator([3, 16, 16], channels=[4] * 4, num_downsamples=2)
    network.body[-1] = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    _relu_before_shortcuts(network)
    load_weights(network, names.mimicry_discriminator(weights))
    return network


def studio_generator(weights: Tensors) -> nn.Module:
    network = ResNetGenerator(4, [3, 32, 32], channels=[4, 4, 4])
    for layer in network.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.eps = 1e-4  # StudioGAN's
    load_weights(network, names.studio_generator(weights))
    return network


def studio_discriminator(weights: Tensors, steps: int) -> nn.Module:
    network = ResNetDiscriminator([3, 32, 32], channels=[4] * 4, num_downsamples=2)
    return _normalized(network, names.studio_discriminator(weights), steps)


def dcgan_generator(weights: Tensors) -> nn.Module:
    network = DCGANGenerator(3, [1, 64, 64], base_channels=1)
    load_weights(network, names.dcgan_generator(weights))
    return network


def dcgan_discriminator(weights: Tensors) -> nn.Module:
    network = DCGANDiscriminator([1, 64, 64], base_channels=1, batch_norm=True)
    load_weights(network, names.dcgan_discriminator(weights))
    return network


def mlp_generator(weights: Tensors) -> nn.Module:
    """Without tanh, which the authors' network does not have."""
    network = MLPGenerator(5, [3, 4, 4], [6, 6, 6], batch_norm=False, negative_slope=0.0)
    return _without_tanh(network, names.mlp_generator(weights))


def mlp_discriminator(weights: Tensors) -> nn.Module:
    network = MLPDiscriminator([3, 4, 4], [6, 6, 6], negative_slope=0.0)
    load_weights(network, names.mlp_discriminator(weights))
    return network


def _without_tanh(network: nn.Module, weights: Tensors) -> nn.Module:
    assert isinstance(network.layers[-1], nn.Tanh)
    network.layers[-1] = nn.Identity()
    load_weights(network, weights)
    return network


def r3gan_generator(weights: Tensors) -> nn.Module:
    """Without tanh, which the authors' network does not have."""
    network = R3GANGenerator(6, [3, 16, 16], channels=[4, 4, 2], blocks=2, group_width=4)
    return _without_tanh(network, names.r3gan_generator(weights))


def r3gan_discriminator(weights: Tensors) -> nn.Module:
    network = R3GANDiscriminator([3, 16, 16], channels=[2, 4, 4], blocks=2, group_width=4)
    load_weights(network, names.r3gan_discriminator(weights))
    return network


def parameters(tensors: Tensors) -> dict[str, Tensor]:
    """Those of the tensors that are no running statistics and no vectors of the power method."""
    return {n: t for n, t in tensors.items() if not n.endswith(("running_mean", "running_var", "_u", "_v"))}
