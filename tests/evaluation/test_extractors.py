import sys
from typing import get_args
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torch_fidelity
from PIL import Image
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from gan_lightning.data import Avatars, Digits, StackedMNIST
from gan_lightning.data.images import ImageData, fit_to
from gan_lightning.errors import NoSuchSplit, UserError
from gan_lightning.evaluation import Classifier, DINOv2, Inception, Random
from gan_lightning.evaluation import classifier_training as training
from gan_lightning.evaluation.classifier import WEIGHTS, read
from gan_lightning.evaluation.inception import Layer
from gan_lightning.evaluation.metrics import fid
from gan_lightning.evaluation.reference import Reference, cached_features
from gan_lightning.evaluation.resizing import clean_resized, tensorflow_resized
from tests.conftest import differing


def pictures(count: int, *shape: int) -> torch.Tensor:
    return torch.randint(256, (count, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(count))


class Stripes(ImageData):
    """Two classes that a classifier can tell apart: upright and level stripes, some unlabeled."""

    def load(self, split):
        stripes = (torch.arange(16) % 4 < 2).expand(16, 16) * 200
        images = torch.stack([stripes, stripes.T]).repeat(40, 1, 1).unsqueeze(1).to(torch.uint8)
        labels = torch.tensor([0, 1]).repeat(40)
        labels[:8] = -1
        return images, labels


def test_the_bundled_classifiers_know_their_digits(mnist_root):
    for data, floor in (
        (Digits([1, 28, 28]), 0.97),
        (StackedMNIST([3, 28, 28], root=mnist_root, test_count=500), 0.95),
    ):
        extractor = Classifier()
        extractor.prepare(data)
        images, labels = data.split("test")
        assert (extractor(images).logits.argmax(1) == labels).float().mean() > floor
    for path in WEIGHTS.glob("*.safetensors"):
        assert path.stat().st_size < 1_000_000


def test_stacked_classes_are_those_of_the_channels(mnist_root):
    data = StackedMNIST([3, 28, 28], root=mnist_root, test_count=50)
    extractor = Classifier()
    extractor.prepare(data)
    found = extractor(data.split("test")[0])
    by_channel = read(WEIGHTS / "mnist.safetensors")
    classes = [by_channel(data.split("test")[0][:, c : c + 1])[1].argmax(1) for c in range(3)]
    assert torch.equal(found.logits.argmax(1), 100 * classes[0] + 10 * classes[1] + classes[2])
    assert found.vectors.shape == (50, 384)
    torch.testing.assert_close(found.logits.exp().sum(1), torch.ones(50))


def test_other_data_gets_a_classifier_of_its_own_once(monkeypatch):
    monkeypatch.setattr(Classifier, "IMAGES_SEEN", 5000)
    extractor = Classifier()
    extractor.prepare(Stripes([1, 16, 16], condition_dim=2))
    images, _ = Stripes([1, 16, 16]).load("train")
    assert extractor(images).logits.argmax(1).tolist() == [0, 1] * 40
    monkeypatch.setattr(training, "fit", lambda *_: pytest.fail("trained again"))
    again = Classifier()
    again.prepare(Stripes([1, 16, 16], condition_dim=2))
    assert again.digest == extractor.digest


def test_the_threads_do_not_matter():
    images, labels = Stripes([1, 16, 16]).load("train")
    states = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        states.append(training.fit(images[8:], labels[8:], 2, "", 2000).state_dict())
        assert torch.get_num_threads() == threads
    assert differing(*states) == []


def test_tags_give_features_without_classes(monkeypatch):
    monkeypatch.setattr(Classifier, "IMAGES_SEEN", 500)
    extractor = Classifier()
    extractor.prepare(Avatars([3, 48, 48], count=60))
    assert extractor.input_shape == (3, 32, 32)
    assert extractor(pictures(3, 3, 48, 48)).logits is None


def test_data_without_labels_is_refused_by_the_classifier_alone():
    class Unlabeled(Stripes):
        def load(self, split):
            images, labels = super().load(split)
            return images, torch.full_like(labels, -1)

    with pytest.raises(UserError, match="no labels to train a classifier on"):
        Classifier().prepare(Unlabeled([1, 16, 16], condition_dim=2))
    Random().prepare(Unlabeled([1, 16, 16], condition_dim=2))


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 28, 28), (1, 64, 64), (3, 40, 24)])
def test_any_size_and_color(shape):
    for extractor in (Classifier(), Random()):
        extractor.prepare(Digits(shape))
        found = extractor(pictures(5, *shape))
        assert found.vectors.shape == (5, 128)
        assert not found.vectors.isnan().any()


def test_the_digest_tells_extractors_apart(weights):
    digests = set()
    inceptions = ({}, {"layer": "64"}, {"resizing": "clean"}, {"spatial": True})
    extractors = (Classifier(), Random(), Random(seed=1), *(Inception(weights, **options) for options in inceptions))
    for extractor in extractors:
        extractor.prepare(Digits([1, 28, 28]))
        digests.add(extractor.digest)
    assert len(digests) == 7


def test_features_of_the_same_images_come_from_the_cache(monkeypatch):
    extractor = Random()
    extractor.prepare(Digits([1, 28, 28]))
    images = pictures(600, 1, 28, 28)
    first = cached_features(extractor, images, "some-images", "features")
    torch.testing.assert_close(first.vectors, extractor(images).vectors)
    monkeypatch.setattr(Random, "__call__", lambda *_: pytest.fail("computed again"))
    assert torch.equal(cached_features(extractor, images, "some-images", "features").vectors, first.vectors)


def test_data_without_a_test_split_has_no_floor():
    class TrainOnly(Stripes):
        def load(self, split):
            if split == "test":
                raise NoSuchSplit("no test split")
            return super().load(split)

    assert Reference(Random(), TrainOnly([1, 16, 16], condition_dim=2), "train").baseline(10, 2) is None


# Inception, with weights of its shape


@pytest.fixture(scope="module")
def weights(tmp_path_factory) -> str:
    """A file of random weights."""
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        torch.manual_seed(0)
        patch.setattr("torch_fidelity.feature_extractor_inceptionv3.load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        network = FeatureExtractorInceptionV3("inception-v3-compat", ["64"])
    torch.save(network.state_dict(), path)
    return str(path)


class Pictures(torch.utils.data.Dataset):
    """As torch-fidelity reads them."""

    def __init__(self, images: torch.Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.images[index]


@pytest.mark.slow
def test_inception_gives_torch_fidelitys_metric(weights):
    extractor = Inception(weights, layer="64")
    extractor.prepare(Digits([3, 20, 20]))
    real, generated = pictures(20, 3, 20, 20), pictures(16, 3, 20, 20) // 2
    expected = torch_fidelity.calculate_metrics(
        input1=Pictures(generated),
        input2=Pictures(real),
        fid=True,
        feature_layer_fid="64",
        feature_extractor_weights_path=weights,
        cuda=False,
        verbose=False,
        save_cpu_ram=True,
    )["frechet_inception_distance"]
    assert expected > 0.01
    assert fid(extractor(real).vectors, extractor(generated).vectors) == pytest.approx(expected, rel=1e-3)


def test_inception_counts_with_its_logits(weights):
    extractor = Inception(weights)
    extractor.prepare(Digits([1, 28, 28]))
    found = extractor(pictures(2, 1, 28, 28))
    assert found.vectors.shape == (2, 2048)
    assert found.logits.shape == (2, 1008)


@pytest.fixture
def original(weights):
    """torch-fidelity's network."""
    return FeatureExtractorInceptionV3("inception-v3-compat", ["64", "192", "768", "2048", "logits_unbiased"], weights)


@pytest.mark.slow
def test_the_features_are_torch_fidelitys_bit_for_bit(weights, original):
    images = pictures(2, 3, 30, 20)
    *expected, logits = original(images)
    for layer, features in zip(get_args(Layer), expected, strict=True):
        extractor = Inception(weights, layer)
        extractor.prepare(Digits([3, 30, 20]))
        assert torch.equal(extractor(images).vectors, features)
    assert torch.equal(extractor(images).logits, logits)


def test_spatial_features_are_guided_diffusions(weights, original):
    """The first 7 channels of TensorFlow's mixed_6/conv; there, channels are last."""
    extractor = Inception(weights, spatial=True)
    extractor.prepare(Digits([3, 20, 20]))
    images, found = pictures(2, 3, 20, 20), []
    original.Mixed_6d.branch1x1.register_forward_hook(lambda module, inputs, output: found.append(output.clone()))
    *_, vectors, logits = original(images)
    features = extractor(images)
    assert torch.equal(
        features.spatial.unflatten(1, (7, 17, 17)).permute(0, 2, 3, 1), found[0].permute(0, 2, 3, 1)[..., :7]
    )
    assert torch.equal(features.vectors, vectors)
    assert torch.equal(features.logits, logits)


@pytest.mark.slow
def test_sfid_rises_with_noise(weights):
    extractor = Inception(weights, spatial=True)
    extractor.prepare(Digits([3, 20, 20]))
    images = fit_to(pictures(24, 3, 4, 4), (3, 20, 20))
    drawn = torch.randn(12, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    real = extractor(images[:12]).spatial[:, ::8]  # fewer numbers, for their eigenvalues take seconds
    noisy = ((images[12:] + strength * drawn).clamp(0, 255).to(torch.uint8) for strength in (0, 30, 90))
    found = [fid(real, extractor(damaged).spatial[:, ::8]) for damaged in noisy]
    assert found == sorted(found)


def test_spatial_features_are_of_the_last_layer(weights):
    with pytest.raises(UserError, match=r"extractor.spatial=true: expected layer=2048, got layer=64"):
        Inception(weights, "64", spatial=True)


@pytest.mark.parametrize("size", [(28, 28), (64, 64), (400, 320)])
def test_clean_resizing_is_pillows(size):
    """As clean-fid: each channel in float32, clamped; the largest difference is that of rounding."""
    images = pictures(2, 3, *size)
    expected = [
        [np.asarray(Image.fromarray(channel.numpy().astype(np.float32)).resize((299, 299), Image.Resampling.BICUBIC))]
        for channel in images.flatten(0, 1)
    ]
    expected = torch.from_numpy(np.array(expected)).view(2, 3, 299, 299).clamp(0, 255)
    torch.testing.assert_close(clean_resized(images, 299), expected, rtol=0, atol=1e-4)
    assert (tensorflow_resized(images, 299) - expected).abs().max() > 10


def test_clean_resizing_reaches_the_features(weights, original):
    """An image that has the size of the network's input is not resized."""
    clean, old = Inception(weights, "64", resizing="clean"), Inception(weights, "64")
    for extractor in (clean, old):
        extractor.prepare(Digits([3, 299, 299]))
    images = pictures(1, 3, 299, 299)
    assert torch.equal(clean(images).vectors, old(images).vectors)
    small = pictures(1, 3, 64, 64)
    found = clean.network(small)[0]
    resized = clean_resized(small, 299).round().to(torch.uint8)
    torch.testing.assert_close(found, original(resized)[0], rtol=0.02, atol=1e-3)
    assert not torch.allclose(found, old.network(small)[0], rtol=0.02, atol=1e-3)
    assert (clean.resize, clean.name) == ("to 299 x 299, bicubic, antialiased as in clean-fid", "inception, layer 64")


def test_inception_without_a_network(monkeypatch, tmp_path):
    def unreachable(*_):
        raise URLError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(
        UserError, match=r"the download failed .*no network.*extractor.weights=FILE.*metrics=classifier"
    ):
        Inception()
    assert [path.name for path in (tmp_path / "checkpoints").glob("*.p*t*h")] == []


def test_inception_without_torch_fidelity(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch_fidelity.feature_extractor_inceptionv3", None)
    with pytest.raises(UserError, match=r"pip install 'gan_lightning\[inception\]'"):
        Inception()


@pytest.mark.slow
def test_weights_in_the_format_of_old(weights, tmp_path):
    state = torch.load(weights, weights_only=True)
    torch.save(state, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    network, old = Inception(weights), Inception(str(tmp_path / "old.pth"))
    for extractor in (network, old):
        extractor.prepare(Digits([1, 28, 28]))
    images = pictures(2, 1, 28, 28)
    assert torch.equal(old(images).vectors, network(images).vectors)


def test_weights_of_another_network(tmp_path):
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"other.pth contains weights of another network"):
        Inception(str(tmp_path / "other.pth")).prepare(Digits([1, 28, 28]))


@pytest.mark.parametrize("kind", [Inception, DINOv2])
def test_weights_that_could_run_code(tmp_path, kind):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    torch.save({"a": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match=r"evil.pth is missing, or no weights"):
        kind(str(tmp_path / "evil.pth"))
    assert not (tmp_path / "ran").exists()
