"""Truncation, ways between latents and directions, in z and in w."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from gan_lightning.errors import UserError
from gan_lightning.models import GAN, InfoGAN
from gan_lightning.models.latents import directions, styles_of
from gan_lightning.networks import (
    BEGANGenerator,
    DCGANGenerator,
    DiracGenerator,
    FaceGenerator,
    MaxoutGenerator,
    MLPDiscriminator,
    MLPGenerator,
    R3GANGenerator,
    ResNetGenerator,
)
from gan_lightning.specs import Described

SHAPE = (1, 4, 4)


class Styled(Described, nn.Module):
    """The contract of a style-based generator, with two layers that w enters."""

    def __init__(self, latent_dim: int = 5, w_dim: int = 3, condition_dim: int = 0) -> None:
        super().__init__()
        self.latent_dim, self.num_layers = latent_dim, 2
        self.mapping = nn.Linear(latent_dim + condition_dim, w_dim)
        self.first, self.second = nn.Linear(w_dim, 8), nn.Linear(w_dim, 8)
        self.last = nn.Linear(8, math.prod(SHAPE))
        self.register_buffer("w_mean", torch.linspace(-1, 1, w_dim))

    def map_latents(self, z, condition=None):
        return self.mapping(z if condition is None else torch.cat([z, condition], 1))

    def synthesize(self, w):
        first, second = w.unbind(1) if w.ndim == 3 else (w, w)
        return torch.tanh(self.last(self.first(first) * self.second(second))).view(-1, *SHAPE)

    def forward(self, z, condition=None):
        return self.synthesize(self.map_latents(z, condition))


def model(generator: nn.Module | None = None, kind: type[GAN] = GAN) -> GAN:
    torch.manual_seed(0)
    return kind(generator or MLPGenerator(16, SHAPE), MLPDiscriminator(SHAPE)).eval()


def test_truncated_latents_are_truncated_normal():
    z = model().fixed_z(640, seed=1, truncation=0.7)
    assert z.abs().max() <= 0.7
    truncated = stats.truncnorm(-0.7, 0.7)
    assert stats.kstest(z.flatten().numpy(), truncated.cdf).pvalue > 0.01
    whole = model().fixed_z(640, seed=1)
    kept = (whole.abs() <= 0.7).all(0)
    assert torch.equal(z[:, kept], whole[:, kept])
    assert torch.equal(whole[whole.abs() <= 0.7], z[whole.abs() <= 0.7])  # others alone are drawn again


def test_a_truncated_latent_does_not_depend_on_their_number():
    assert torch.equal(model().fixed_z(70, 3, 0.5)[:9], model().fixed_z(9, 3, 0.5))
    assert not torch.equal(model().fixed_z(9, 3, 0.5), model().fixed_z(9, 4, 0.5))


def test_what_cannot_be_truncated_is_refused():
    with pytest.raises(UserError, match="the latents of InfoGAN are not normal, but standard normal, but the last 12"):
        model(kind=InfoGAN).fixed_z(4, 0, 0.5)
    with pytest.raises(UserError, match=r"--truncation 0.001: expected a number from 0.01"):
        model().fixed_z(4, 0, 0.001)


def test_styles_move_toward_their_mean():
    styled = model(Styled())
    z = styled.fixed_z(70, seed=0)
    w = styles_of(styled, z)
    torch.testing.assert_close(styles_of(styled, z, truncation=0.3), styled.generator.w_mean * 0.7 + 0.3 * w)
    assert torch.equal(torch.cat([*styled.generate(w, styles=True)]), torch.cat([*styled.generate(z)]))


FAMILIES = {
    "mlp": (MLPGenerator(6, SHAPE, (8,), condition_dim=3, label_embedding_dim=2), "layers.0.weight"),
    "dcgan": (DCGANGenerator(6, (1, 8, 8), base_channels=2), "layers.0.weight"),
    "resnet": (ResNetGenerator(6, (1, 8, 8), base_channels=2, condition_dim=3), "first.0.weight"),
    "r3gan": (R3GANGenerator(6, (1, 8, 8), base_channels=8, group_width=2), "modulation.weight"),
    "began": (BEGANGenerator(6, (1, 8, 8), base_channels=2), None),
    "maxout": (MaxoutGenerator(6, SHAPE, (8,)), None),
    "faces": (FaceGenerator(6, (1, 24, 24), channels=(4, 2, 2)), None),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_directions_are_of_the_layer_that_z_enters(family):
    generator, name = FAMILIES[family]
    found, values = directions(generator.eval(), 6, torch.eye(3)[:1] if family in ("mlp", "resnet") else None)
    torch.testing.assert_close(found @ found.T, torch.eye(6, dtype=torch.float64))
    assert (values.diff() <= 1e-12).all()
    if name is not None:
        weight = generator.state_dict()[name][:, :6].double()
        weight = weight / weight.norm(dim=1, keepdim=True)
        # The largest change of the layer's output for a step of length 1, by the singular value decomposition.
        assert values.sqrt().numpy() == pytest.approx(np.linalg.svd(weight.numpy(), compute_uv=False))
        torch.testing.assert_close((weight @ found.T).norm(dim=0), values.clamp_min(0).sqrt())


def test_directions_of_styles_are_of_all_layers():
    generator = Styled().eval()
    found, _ = directions(generator, 3)
    weight = torch.cat([generator.first.weight, generator.second.weight]).double()
    weight = nn.functional.normalize(weight, dim=1)
    values = torch.linalg.eigvalsh(weight.T @ weight).flip(0)
    torch.testing.assert_close(found @ weight.T @ weight @ found.T, values.diag(), rtol=1e-9, atol=1e-9)


def test_a_generator_without_layers_has_no_directions():
    with pytest.raises(UserError, match="DiracGenerator has no layer that maps its latents"):
        directions(DiracGenerator(), 1)
