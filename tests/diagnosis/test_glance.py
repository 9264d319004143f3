"""What a glance at samples tells of them, against sets whose faults are known."""

import math

import pytest
import torch

from gan_lightning import rng
from gan_lightning.data import Digits, Dirac, Gaussians2D
from gan_lightning.diagnosis.glance import NUM, SOME, Glance, RealSamples, to_points


@pytest.fixture(scope="module")
def data():
    digits = Digits(image_shape=[1, 28, 28])
    digits.setup("fit")
    return digits


@pytest.fixture(scope="module")
def glance(data):
    return Glance.of(data)


@pytest.fixture(scope="module")
def fresh(data):
    """Real samples that are none of the glance's."""
    images = data.split("train")[0].float() / 127.5 - 1
    return to_points(images[rng.permutation(len(images), "glance", "train")[NUM : 2 * NUM]])


def test_real_samples_are_good(glance, fresh):
    found = glance.compare(fresh)
    assert found["spread"] == pytest.approx(1, abs=0.05)
    assert found["distance"] == pytest.approx(0, abs=0.02)
    assert found["coverage"] > 0.9
    assert found["missing"] == 0
    assert found["novelty"] == pytest.approx(1, abs=0.1)


def test_one_sample_is_a_collapse(glance, fresh):
    found = glance.compare(fresh[:1].repeat(NUM, 1))
    assert found["spread"] == 0
    assert found["coverage"] < 0.1
    assert found["missing"] > 0.8
    assert found["distance"] > 0.5


def test_classes_that_are_left_out_are_missing(glance, data):
    images, labels = data.split("train")
    places = rng.permutation(len(images), "glance", "train")[:NUM]
    images, labels = images[places] / 127.5 - 1, labels[places]
    found = glance.compare(to_points(images[labels < 5]))
    assert found["missing"] == pytest.approx((labels >= 5).double().mean().item(), abs=1e-9)


def test_copies_are_not_new(glance, fresh):
    copies = to_points(glance.train.samples) + 1e-3
    assert glance.compare(copies)["novelty"] < 0.02


def test_the_distance_is_the_energy_distance():
    """Of points on a line, against sums over all pairs."""
    torch.manual_seed(0)
    real, generated = torch.randn(30, 1), torch.randn(20, 1) + 1

    def mean(a, b):
        return sum(abs(x - y) for x in a.flatten().tolist() for y in b.flatten().tolist())

    across = mean(real, generated) / (30 * 20)
    within, own = mean(real, real) / (30 * 29), mean(generated, generated) / (20 * 19)
    found = Glance(RealSamples(real, None), None).compare(generated)
    assert found["distance"] == pytest.approx((2 * across - within - own) / within, rel=1e-5)
    assert math.isnan(found["missing"])
    assert math.isnan(found["novelty"])


def test_movement_is_relative_to_the_data():
    real = torch.tensor([[0.0], [4.0]])
    glance = Glance(RealSamples(real, None), None)
    assert glance.moved(torch.zeros(3, 1), torch.ones(3, 1)) == pytest.approx(0.25)


def test_points_in_the_plane_are_compared_as_they_are():
    data = Gaussians2D(image_shape=[2])
    glance = Glance.of(data)
    assert glance.train.samples.shape == (SOME, 2)
    assert glance.compare(data.sample(NUM, rng.generator("more")))["coverage"] > 0.8


def test_data_that_is_one_point_has_no_spread():
    found = Glance.of(Dirac(image_shape=[1])).compare(torch.full((NUM, 1), 2.0))
    assert math.isnan(found["spread"])
    assert math.isnan(found["coverage"])
    assert found["distance"] == 4


def test_another_data_module_has_no_glance():
    assert Glance.of(None) is None
