"""The GAN with spectral normalization of the discriminator."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.utils.parametrizations import spectral_norm
from torch.nn.utils.parametrize import is_parametrized

from gan_lightning.losses import Hinge
from gan_lightning.models.gan import GAN
from gan_lightning.specs import public_name, spec_of


class SNGAN(GAN):
    """Spectrally normalized GAN: Miyato et al. 2018 (arXiv:1802.05957), eqs. 8 and 16, with the hinge loss.

        W_SN = W / sigma(W)  in every layer of D;  sigma(W) is the largest singular value

    The linear and convolutional layers of any discriminator are normalized. One step of the power method estimates
    sigma in each update (algorithm 1; the authors' code has one in each call of D).
    """

    default_loss = Hinge

    def __init__(self, generator: nn.Module, discriminator: nn.Module, **gan: Any) -> None:
        super().__init__(generator, spectrally_normalized(discriminator), **gan)


def spectrally_normalized(network: nn.Module) -> nn.Module:
    """Divides every weight matrix and kernel of a network by its largest singular value, and returns the network.

    Raises:
        ValueError: All entries of a weight are 0, and so is its largest singular value; or a layer scales its weight.
    """
    for name, layer in network.named_modules():
        if hasattr(layer, "weight_gain"):
            raise ValueError(
                f"network: {type(network).__name__} has an equalized learning rate: {name} scales its "
                "weight, as spectral normalization would; choose another network=, or a model without it"
            )
        if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d) and not is_parametrized(layer):
            if not layer.weight.any():
                raise ValueError(
                    f"network={type(network).__name__}: it starts {name} at 0, which spectral normalization cannot "
                    "divide by; choose another network=, or a model without it"
                )
            spectral_norm(layer)
    described = {"_target_": public_name(spectrally_normalized), "network": spec_of(network)}
    network.spec = described  # type: ignore[assignment]
    return network
