"""The FID of each class."""

import pytest
import torch
from scipy import linalg

from gan_lightning.data.images import ImageData
from gan_lightning.errors import NoSuchSplit, UserError
from gan_lightning.evaluation import Random, intra_class
from gan_lightning.evaluation.generated import generated_features, samples_seed
from gan_lightning.evaluation.intra_class import IntraClass
from gan_lightning.evaluation.measure import measure
from gan_lightning.evaluation.metrics import fid
from gan_lightning.evaluation.reference import Reference
from gan_lightning.evaluation.report import intra_class_line
from gan_lightning.labels import LabelVocabulary
from gan_lightning.models.sampling import LatentModel


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path / "cache"))


class Patches(ImageData):
    """Noise in one half of the picture: left in class 0, right in class 1; class 2 has no pictures."""

    names = ("left", "right, the other", "none")
    NUMBERS = (300, 200)

    def load(self, split):
        labels = torch.tensor([0, 1]).repeat_interleave(torch.tensor(self.NUMBERS))
        return half(labels, torch.Generator().manual_seed(len(split))), labels


def half(labels, generator):
    images = torch.randint(256, (len(labels), 1, 8, 8), generator=generator)
    left = torch.arange(8) < 4
    images[labels == 0] *= left
    images[labels == 1] *= ~left
    return images.to(torch.uint8)


class Halves(torch.nn.Module):
    """Generates the pictures of a class; from the class `mixed` on those of the other."""

    latent_dim = 64

    def __init__(self, turned: bool = False, noise: float = 0) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))
        self.turned, self.noise = turned, noise

    def forward(self, z, condition):
        labels = condition.argmax(1)
        pixels = torch.special.ndtr(z).view(-1, 1, 8, 8) * 255
        left = torch.arange(8) < 4
        shown = torch.where((labels == (1 if self.turned else 0)).view(-1, 1, 1, 1), left, ~left)
        return (pixels * shown + self.noise * z.view(-1, 1, 8, 8)) / 127.5 - 1


def model(*options):
    found = LatentModel(Halves(*options), seed=0)
    found.vocabulary = LabelVocabulary.of_labels(Patches.names, Patches([1, 8, 8]).load("train")[1])
    return found


def expected_fid(real, generated):
    """As StudioGAN's, whose matrix root fails where a feature is constant: its trace is this nuclear norm."""
    x, y = real - real.mean(0), generated - generated.mean(0)
    (n, m), difference = (len(x) - 1, len(y) - 1), real.mean(0) - generated.mean(0)
    return (
        (difference**2).sum() + (x**2).sum() / n + (y**2).sum() / m - 2 * linalg.svdvals(x @ y.T).sum() / (n * m) ** 0.5
    )


def test_it_is_the_fid_of_each_class():
    extractor, trained = Random(), model()
    reference = Reference(extractor, Patches([1, 8, 8]), "test")
    found = IntraClass(trained, reference, 250).fids(samples_seed(0), raw=True)
    assert len(found) == 2
    images, labels = Patches([1, 8, 8]).load("test")
    for number, value in enumerate(found):
        seed = intra_class.rng.mix("class", samples_seed(0), number)
        z = trained.fixed_z(250, seed)
        pixels = (trained.generator(z, torch.eye(3)[number].expand(250, -1)) + 1) * 127.5
        generated = extractor(pixels.round().to(torch.uint8)).vectors.double().numpy()
        real = extractor(images[labels == number]).vectors.double().numpy()
        assert value == pytest.approx(expected_fid(real, generated), rel=1e-5)


def test_it_sees_what_fid_does_not():
    """A generator that makes the classes of each other, and noise."""
    reference = Reference(Random(), Patches([1, 8, 8]), "test")
    options = ((), (True,), (False, 20), (False, 60))
    of_classes = [IntraClass(model(*chosen), reference, 200) for chosen in options]
    good, turned, *noisy = (sum(classes.fids(0, raw=True)) / 2 for classes in of_classes)
    assert good < sum(of_classes[0].baseline()) < turned / 10
    assert turned > 30 * good
    assert good < noisy[0] < noisy[1]
    generated = generated_features(model(True), reference.extractor, 400, 0, raw=True)
    assert fid(reference.features.vectors, generated.vectors) < turned / 10


def test_the_report_has_each_class(monkeypatch):
    reference = Reference(Random(), Patches([1, 8, 8]), "test")
    found = measure(model(), reference, 60, 2, 0, True, 150)
    assert found["protocol"]["intra_fid"] == 150
    left, right = found["intra_fid"]["classes"].values()
    assert [*found["intra_fid"]["classes"]] == ["left", "right, the other"]
    assert (left["real_images"], right["real_images"]) == (300, 200)
    assert left["value"] + right["value"] == pytest.approx(2 * found["metrics"]["intra_fid"]["value"])
    assert left["baseline"] + right["baseline"] == pytest.approx(2 * found["metrics"]["intra_fid"]["baseline"])
    assert found["metrics"]["intra_fid"]["std"] > 0
    monkeypatch.setattr(Random, "__call__", lambda *_: pytest.fail("computed again"))
    assert IntraClass(model(), reference, 150).baseline() == [left["baseline"], right["baseline"]]


def test_classes_of_few_images():
    """FIDs of fewer images than features are told; there is none of one image."""
    reference = Reference(Random(), Patches([1, 8, 8]), "test")
    found = measure(model(), reference, 20, 1, 0, True, 129)["intra_fid"]
    assert "too few" not in intra_class_line(found)
    assert "2 of 2 classes have too few images, real or generated, the least 128" in intra_class_line(
        found | {"images": 128}
    )

    class Few(Patches):
        NUMBERS = (300, 100)

    reference = Reference(Random(), Few([1, 8, 8]), "test")
    line = intra_class_line(measure(model(), reference, 20, 1, 0, True, 129)["intra_fid"])
    assert "1 of 2 classes have too few images, real or generated, the least 100" in line

    class One(Patches):
        NUMBERS = (300, 1)

    with pytest.raises(UserError, match=r"2 or more images of each class in the test split .*: right, the other \(1\)"):
        IntraClass(model(), Reference(Random(), One([1, 8, 8]), "test"), 20)


def test_many_classes_have_a_short_line():
    metric = {"value": 1.0, "std": None, "real_images": 500}
    found = {"dimensions": 128, "images": 500, "classes": {f"c{n}": metric | {"value": float(n)} for n in range(1000)}}
    line = intra_class_line(found)
    assert line.startswith("FID of each class: c999 999, c998 998, ")
    assert line.endswith("c980 980 and 980 better ones")


def test_what_has_no_classes():
    reference = Reference(Random(), Patches([1, 8, 8]), "test")
    with pytest.raises(UserError, match="--intra-fid: this model was trained without labels"):
        IntraClass(LatentModel(Halves(), seed=0), reference, 20)

    class Tags(Patches):
        def load(self, split):
            images, labels = super().load(split)
            return images, torch.eye(3, dtype=torch.uint8)[labels]

    with pytest.raises(UserError, match="--intra-fid: Tags has tags, not classes"):
        IntraClass(model(), Reference(Random(), Tags([1, 8, 8]), "test"), 20)


def test_data_without_another_split_has_no_baseline():
    class TestOnly(Patches):
        def load(self, split):
            if split == "train":
                raise NoSuchSplit("no training split")
            return super().load(split)

    found = measure(model(), Reference(Random(), TestOnly([1, 8, 8]), "test"), 20, 1, 0, True, 20)
    assert found["metrics"]["intra_fid"]["baseline"] is None
    assert found["intra_fid"]["classes"]["left"]["baseline"] is None
