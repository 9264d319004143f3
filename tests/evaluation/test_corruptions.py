"""What damages real images worsens their metrics, the more so the stronger it is."""

import pytest

from benchmarks.corruptions import CORRUPTIONS, measured
from gan_lightning.data import MNIST


class Few(MNIST):
    """Some of MNIST: its writers differ from beginning to end."""

    def load(self, split):
        images, labels = super().load(split)
        some = slice(None, None, len(images) // 1200)
        return images[some], labels[some]


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(mnist_root):
    return measured(Few([1, 28, 28], root=mnist_root), 1200)


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_fid_rises(found, corruption):
    fid = [row["fid"] for row in found[corruption]]
    assert fid == sorted(fid)
    assert fid[-1] > 20 * fid[0]


@pytest.mark.parametrize("corruption", ["dropped classes", "copies"])
def test_coverage_falls(found, corruption):
    coverage = [row["coverage"] for row in found[corruption]]
    assert coverage == sorted(coverage, reverse=True)
    assert coverage[-1] < coverage[0] / 2
