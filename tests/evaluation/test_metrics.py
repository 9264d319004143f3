"""Every metric against an implementation that is not ours."""

import math

import numpy as np
import pytest
import torch
from scipy import linalg, stats
from torch_fidelity.metric_isc import isc_features_to_metric
from torch_fidelity.metric_kid import kernel_poly, mmd2
from torch_fidelity.metric_prc import prc_features_to_metric
from torchmetrics.image.fid import FrechetInceptionDistance

from gan_lightning.evaluation import metrics as metrics_module
from gan_lightning.evaluation.features import Features
from gan_lightning.evaluation.manifold import manifold_metrics
from gan_lightning.evaluation.metrics import class_metrics, fid, inception_score, kid, metrics


@pytest.fixture
def clouds() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    real, generated = torch.randn(400, 8, generator=generator), torch.randn(300, 8, generator=generator)
    return real, 0.7 * generated + 0.3


@pytest.mark.parametrize("dimensions", [8, 96])
def test_fid_is_the_formulas(dimensions, monkeypatch):
    monkeypatch.setattr(metrics_module, "BLOCK", 128)
    generator = torch.Generator().manual_seed(0)
    mixed = torch.randn(dimensions, dimensions, generator=generator)
    real = torch.randn(400, dimensions, generator=generator) @ mixed
    generated = 0.7 * torch.randn(300, dimensions, generator=generator) + 0.3
    x, y = real.double().numpy(), generated.double().numpy()
    difference = x.mean(0) - y.mean(0)
    a, b = np.cov(x.T), np.cov(y.T)
    expected = difference @ difference + np.trace(a + b - 2 * linalg.sqrtm(a @ b).real)
    assert fid(real, generated) == pytest.approx(expected, rel=1e-9)
    other = FrechetInceptionDistance(_Features(dimensions))
    other.update(real.double(), real=True)
    other.update(generated.double(), real=False)
    assert fid(real, generated) == pytest.approx(other.compute().item(), rel=1e-9)


def test_sfid_is_that_of_the_spatial_features(clouds):
    """guided-diffusion's: the same distance, of other features."""
    logits = torch.zeros(400, 2)
    real, generated = Features(clouds[0][:, :5], logits, clouds[0]), Features(clouds[1][:, :5], logits[:300], clouds[1])
    x, y = (cloud.double().numpy() for cloud in clouds)
    difference = x.mean(0) - y.mean(0)
    a, b = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    expected = difference.dot(difference) + np.trace(a) + np.trace(b) - 2 * np.trace(linalg.sqrtm(a.dot(b)).real)
    assert metrics(real, generated, seed=0)["sfid"] == pytest.approx(expected, rel=1e-9)
    assert "sfid" not in metrics(Features(clouds[0]), Features(clouds[1]), seed=0)


class _Features(torch.nn.Identity):
    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features


def test_fid_of_fewer_images_than_dimensions():
    """Covariances that have no inverse."""
    generator = torch.Generator().manual_seed(0)
    real, generated = torch.randn(40, 96, generator=generator), torch.randn(30, 96, generator=generator)
    x, y = (cloud.double().numpy() for cloud in (real, generated))
    x, y = x - x.mean(0), y - y.mean(0)
    common = linalg.svdvals(x @ y.T).sum() / math.sqrt(39 * 29)  # the square roots of the eigenvalues of C_r C_g
    difference = (real.mean(0) - generated.mean(0)).double().square().sum().item()
    expected = difference + (x**2).sum() / 39 + (y**2).sum() / 29 - 2 * common
    assert fid(real, generated) == pytest.approx(expected, rel=1e-6)
    assert fid(real, real) == pytest.approx(0, abs=1e-4)


def test_kid_is_torch_fidelitys_on_all_images(clouds):
    real, generated = clouds[0][:300], clouds[1]  # one subset is then the whole
    kernel = {"kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1}
    x, y = real.double().numpy(), generated.double().numpy()
    expected = mmd2(*(kernel_poly(*pair, **kernel) for pair in ((x, x), (x, y), (y, y))))
    assert kid(real, generated, seed=0) == pytest.approx(expected, rel=1e-3)


@pytest.mark.slow
def test_kid_of_subsets_is_near_that_of_all():
    generator = torch.Generator().manual_seed(1)
    real, generated = torch.randn(3000, 4, generator=generator), torch.randn(3000, 4, generator=generator) + 1
    x, y = real.double().numpy(), generated.double().numpy()
    kernel = {"kid_kernel_poly_degree": 3, "kid_kernel_poly_gamma": None, "kid_kernel_poly_coef0": 1}
    expected = mmd2(*(kernel_poly(*pair, **kernel) for pair in ((x, x), (x, y), (y, y))))
    found = kid(real, generated, seed=0)
    assert found == pytest.approx(expected, rel=0.05)
    assert found == kid(real, generated, seed=0) != kid(real, generated, seed=1)


def test_precision_and_recall_are_torch_fidelitys(clouds):
    real, generated = clouds
    expected = prc_features_to_metric(generated, real, prc_neighborhood=3, prc_batch_size=1000, verbose=False)
    found = manifold_metrics(real, generated)
    assert 0.1 < found["recall"] < found["precision"] < 1
    assert found["precision"] == pytest.approx(expected["precision"], rel=1e-3)
    assert found["recall"] == pytest.approx(expected["recall"], rel=1e-3)


def test_density_and_coverage_are_the_formulas(clouds):
    real, generated = (cloud.double().numpy() for cloud in clouds)
    between_real = np.linalg.norm(real[:, None] - real[None], axis=2)
    radius = np.sort(between_real, axis=1)[:, 5]
    inside = np.linalg.norm(real[:, None] - generated[None], axis=2) <= radius[:, None]
    found = manifold_metrics(*clouds)
    assert found["density"] == pytest.approx(inside.sum() / (5 * len(generated)), rel=1e-6)
    assert found["coverage"] == pytest.approx(inside.any(1).mean(), rel=1e-6)


def test_more_points_than_a_chunk_holds(monkeypatch, clouds):
    whole = manifold_metrics(*clouds)
    monkeypatch.setattr("gan_lightning.evaluation.manifold.CHUNK", 64)
    assert manifold_metrics(*clouds) == pytest.approx(whole)


def test_a_cloud_smaller_than_the_neighborhood():
    assert manifold_metrics(torch.zeros(2, 3), torch.zeros(2, 3))["coverage"] == 1


def test_the_inception_score_is_torch_fidelitys():
    logits = 3 * torch.randn(2000, 10, generator=torch.Generator().manual_seed(0))
    expected = isc_features_to_metric(logits, splits=10)["inception_score_mean"]
    assert inception_score(logits, seed=0) == pytest.approx(expected, rel=5e-3)  # the splits are drawn
    assert inception_score(torch.eye(10).repeat(100, 1) * 100, seed=0) == pytest.approx(10, rel=0.05)


def test_a_collapsed_generator_has_an_inception_score():
    assert inception_score(torch.tensor([[0.0, -300.0, -500.0]]).repeat(50, 1), seed=0) == pytest.approx(1)


def as_features(counts: list[int]) -> Features:
    classes = torch.tensor([number for number, count in enumerate(counts) for _ in range(count)])
    return Features(torch.zeros(len(classes), 1), torch.eye(len(counts))[classes])


def test_the_histogram_of_classes():
    real, generated = [50, 50, 100, 0], [300, 2, 98, 0]
    found = class_metrics(as_features(real), as_features(generated))
    assert found["class_kl"] == pytest.approx(stats.entropy(generated[:3], real[:3]), rel=1e-6)
    assert found["modes"] == 3
    assert found["class_coverage"] == pytest.approx(2 / 3)  # class 1 has 2 of 100 that it should have
    assert class_metrics(as_features(real), as_features([100, 100, 100, 1]))["class_kl"] == math.inf


def test_equal_features_are_as_good_as_can_be(clouds):
    logits = torch.randn(400, 3)
    found = metrics(Features(clouds[0], logits), Features(clouds[0], logits), seed=0)
    for name, value in {
        "fid": 0,
        "precision": 1,
        "recall": 1,
        "coverage": 1,
        "class_coverage": 1,
        "class_kl": 0,
    }.items():
        assert found[name] == pytest.approx(value, abs=1e-6), name
    assert abs(found["kid"]) < 0.05


def test_the_global_generator_is_left_alone(clouds):
    real, generated = Features(clouds[0], torch.randn(400, 3)), Features(clouds[1], torch.randn(300, 3))
    before = torch.get_rng_state()
    metrics(real, generated, seed=0)
    assert torch.equal(torch.get_rng_state(), before)


def test_figures_without_classes(clouds):
    found = metrics(Features(clouds[0], None), Features(clouds[1], None), seed=0)
    assert set(found) == {"fid", "kid", "precision", "recall", "density", "coverage"}
