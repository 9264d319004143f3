"""The tiny networks of the one-dimensional GAN demonstration known as gan-intro."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.networks.minibatch import MinibatchDiscrimination
from gan_lightning.specs import Described


class ScalarGenerator(Described, nn.Module):
    """z -> Linear -> softplus -> Linear -> number; nothing bounds its samples.

    Args:
        hidden_dim: The width of the hidden layer.
        std: The standard deviation of the initial weights, whose mean is 0.
    """

    latent_dim = 1

    def __init__(self, hidden_dim: int = 4, std: float = 1.0) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, hidden_dim), nn.Softplus(), nn.Linear(hidden_dim, 1))
        _initialize(self, std)

    def forward(self, z: Float[Tensor, "batch 1"], condition: None = None) -> Float[Tensor, "batch 1"]:
        return self.layers(z)


class ScalarDiscriminator(Described, nn.Module):
    """x -> three tanh layers -> logit; minibatch discrimination may take the third layer's place.

    Args:
        hidden_dim: The width of the hidden layers.
        minibatch: Whether minibatch discrimination takes the third layer's place.
        std: The standard deviation of the initial weights of the linear layers, whose mean is 0.
    """

    def __init__(self, hidden_dim: int = 8, minibatch: bool = False, std: float = 1.0) -> None:
        super().__init__()
        third = (
            MinibatchDiscrimination(hidden_dim)
            if minibatch
            else nn.Sequential(nn.Linear(hidden_dim, hidden_dim), nn.Tanh())
        )
        features = hidden_dim + third.kernels if isinstance(third, MinibatchDiscrimination) else hidden_dim
        self.layers = nn.Sequential(
            *(nn.Linear(1, hidden_dim), nn.Tanh(), nn.Linear(hidden_dim, hidden_dim), nn.Tanh()),
            third,
            nn.Linear(features, 1),
        )
        _initialize(self, std)

    def forward(self, x: Float[Tensor, "batch 1"], condition: None = None) -> Float[Tensor, " batch"]:
        return self.layers(x).squeeze(1)


def _initialize(network: nn.Module, std: float) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=std)
            nn.init.zeros_(layer.bias)
