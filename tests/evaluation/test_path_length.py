"""The perceptual path length, with other images' distance than LPIPS, or with LPIPS of random weights."""

from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision
from torch import nn
from torchmetrics.functional.image import perceptual_path_length

from gan_lightning.errors import UserError
from gan_lightning.evaluation import path_length
from gan_lightning.evaluation.path_length import EPSILON, PathLength
from gan_lightning.labels import LabelVocabulary
from gan_lightning.models.sampling import LatentModel

SHAPE = (3, 16, 16)


class Waves(nn.Module):
    """Images whose pixels are waves along random directions of z and of the class; `steepness` makes them shorter."""

    latent_dim = 8

    def __init__(self, steepness: float = 1, classes: int = 0) -> None:
        super().__init__()
        drawn = torch.randn(self.latent_dim + classes, 3 * 256, generator=torch.Generator().manual_seed(0))
        self.directions = nn.Parameter(steepness * drawn / 10)

    def forward(self, z, condition=None):
        rows = z if condition is None else torch.cat([z, condition], 1)
        return torch.sin(rows @ self.directions).view(-1, *SHAPE)


class StyledWaves(Waves):
    """The same, with w = z^3: the way between two w is another than that between their z."""

    def map_latents(self, z, condition):
        return (z if condition is None else torch.cat([z, condition], 1)) ** 3

    def synthesize(self, w):
        return super().forward(w)

    def forward(self, z, condition=None):
        return self.synthesize(self.map_latents(z, condition))


class Squared(nn.Module):
    def forward(self, one, other):
        return (one - other).square().mean((1, 2, 3))


@pytest.fixture(autouse=True)
def weights(monkeypatch):
    monkeypatch.setattr(path_length, "fetch", lambda *_: None)


@pytest.fixture
def squared(monkeypatch):
    def measured(*arguments, **options):
        return perceptual_path_length(*arguments, **options | {"sim_net": Squared()})

    monkeypatch.setattr(path_length, "perceptual_path_length", measured)


def model(generator, classes=0):
    found = LatentModel(generator, seed=0).double()
    if classes:
        found.vocabulary = LabelVocabulary.of_labels([*map(str, range(classes))], torch.arange(classes).repeat(5))
    return found


def trimmed_mean(start, end):
    """As StyleGAN's: without the smallest and the largest hundredth."""
    lengths = ((end - start) ** 2).mean((1, 2, 3)) / EPSILON**2
    low, high = np.percentile(lengths, [1, 99], method="lower")
    return lengths[(lengths >= low) & (lengths <= high)].mean()


@pytest.mark.parametrize("classes", [0, 3])
def test_in_z_it_is_the_formula(squared, classes):
    generator = Waves(1, classes)
    trained = model(generator, classes)
    found = PathLength(trained, 200, SHAPE).measure(5, raw=True)
    a, b = (z.double().numpy() for z in trained.fixed_z(400, 5).chunk(2))
    condition = trained.fixed_conditions(200, 5)
    t = torch.rand(200, 1, generator=path_length.rng.generator("path length", 5)).double().numpy()
    unit = [z / np.linalg.norm(z, axis=1, keepdims=True) for z in (a, b)]
    angle = np.arccos((unit[0] * unit[1]).sum(1, keepdims=True))

    def image(t):
        z = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
        return generator(torch.from_numpy(z), None if condition is None else condition.double()).detach().numpy()

    assert 0 < t.min() < t.max() < 1
    assert found == pytest.approx(trimmed_mean(image(t), image(t + EPSILON)), rel=1e-6)
    assert generator.training


@pytest.mark.parametrize("classes", [0, 3])
def test_in_w_it_is_linear_from_the_beginning(squared, classes):
    generator = StyledWaves(0.2, classes)
    trained = model(generator, classes)
    measured = PathLength(trained, 200, SHAPE)
    condition = trained.fixed_conditions(200, 5)
    condition = None if condition is None else condition.double()
    a, b = (generator.map_latents(z.double(), condition) for z in trained.fixed_z(400, 5).chunk(2))
    start, end = (generator.synthesize(w).detach().numpy() for w in (a, a + EPSILON * (b - a)))
    assert measured.measure(5, raw=True) == pytest.approx(trimmed_mean(start, end), rel=1e-6)
    assert measured.protocol == {"num": 200, "latents": "w", "epsilon": EPSILON}


def test_a_steeper_generator_has_longer_paths(squared):
    lengths = [PathLength(model(Waves(steepness)), 200, SHAPE).measure(5, raw=True) for steepness in (0.5, 1, 2, 4)]
    assert lengths == sorted(lengths)
    assert lengths[-1] > 10 * lengths[0]


def test_the_average_is_measured_unless_raw(squared):
    trained = model(Waves(1))
    trained.track_ema()
    trained.generator_ema.directions.data *= 2
    measured = PathLength(trained, 50, SHAPE)
    assert measured.measure(5, raw=False) > measured.measure(5, raw=True)


def test_with_lpips_it_is_torchmetrics(monkeypatch):
    """Of its own generators, which are linear from the beginning. Gray images become colored ones."""
    layers = torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["D"])
    monkeypatch.setattr(torchvision.models, "vgg16", lambda weights: SimpleNamespace(features=layers))

    class Linear(StyledWaves):
        def map_latents(self, z, condition):
            return z

        def synthesize(self, w):
            return super().synthesize(w)[:, :1]

    trained = model(Linear())
    trained.float()

    class Theirs(nn.Module):
        def __init__(self):
            super().__init__()
            self.latents = iter(trained.fixed_z(12, 5).chunk(2))

        def sample(self, num_samples):
            return next(self.latents)

        def forward(self, z):
            return (trained.generator(z).repeat(1, 3, 1, 1) + 1) / 2 * 255

    expected, _, _ = perceptual_path_length(Theirs(), 6, interpolation_method="lerp", epsilon=0.1, resize=None)
    monkeypatch.setattr(path_length, "EPSILON", 0.1)  # in float32 a short way is mostly rounding
    assert PathLength(trained, 6, (1, 16, 16)).measure(5, raw=True) == pytest.approx(expected.item(), rel=1e-3)


def test_what_has_no_path_length():
    for shape in ((6, 32, 32), (3, 8, 32)):
        with pytest.raises(UserError, match=r"--ppl: expected gray or color images of 16 x 16 pixels or more, got"):
            PathLength(model(Waves()), 10, shape)
    other = type("Coded", (LatentModel,), {"prior": "a code"})(Waves(), seed=0)
    with pytest.raises(UserError, match="--ppl: expected latents of a standard normal distribution, got a code"):
        PathLength(other, 10, SHAPE)


def test_weights_that_are_missing(monkeypatch, tmp_path):
    monkeypatch.undo()

    def unreachable(*_):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(UserError, match=r"--ppl: .*vgg16-\w+.pth is missing or damaged, .*no network.*put it there"):
        PathLength(model(Waves()), 10, SHAPE)
