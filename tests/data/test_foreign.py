"""A data module that is not ours: its images are measured, or a message says what is missing."""

import pytest
import torch
from lightning import LightningDataModule
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset

import gan_lightning
from gan_lightning.data import Digits, Gaussian1D
from gan_lightning.data.foreign import images_of, warn_of_inexact_resume
from gan_lightning.data.sampler import ResumableLoader
from gan_lightning.errors import NoSuchSplit, UserError
from gan_lightning.evaluation import Classifier, Random
from gan_lightning.evaluation.reference import Reference
from tests.conftest import TINY
from tests.helpers import PlainData

IMAGES = torch.linspace(-1, 1, 40).view(40, 1, 1, 1).expand(40, 1, 8, 8).clone()
LABELS = torch.arange(40) % 4


class Given(LightningDataModule):
    """Yields what it was given, shuffled."""

    def __init__(self, *tensors, split="test"):
        super().__init__()
        self.tensors, self.split = tensors, split

    def train_dataloader(self):
        return DataLoader(TensorDataset(*self.tensors), batch_size=16, shuffle=True)

    def setup(self, stage):
        if self.split == stage == "test":
            self.test_dataloader = self.train_dataloader
        if self.split == stage == "validate":
            self.val_dataloader = self.train_dataloader


def test_ours_is_taken_as_it_is():
    data = Digits([1, 28, 28])
    assert images_of(data) is data


def test_images_and_labels_are_read_in_order():
    torch.manual_seed(5)
    images, labels = images_of(Given(IMAGES, LABELS)).split("train")
    assert torch.equal(images, ((IMAGES + 1) * 127.5).round().to(torch.uint8))
    assert torch.equal(labels, LABELS)
    drawn = torch.rand(1)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))  # training draws what it would have drawn


class SplitBySamplers(LightningDataModule):
    """Trains on four fifths of a data set, and holds the others out."""

    def train_dataloader(self):
        return self._loader([place for place in range(40) if place % 5])

    def val_dataloader(self):
        return self._loader(range(0, 40, 5))

    def _loader(self, places):
        return DataLoader(TensorDataset(IMAGES, LABELS), 16, sampler=SubsetRandomSampler(places))


def test_samplers_that_split_a_data_set_are_kept():
    data = images_of(SplitBySamplers())
    train, test = ({image[0, 0, 0].item() for image in data.split(split)[0]} for split in ("train", "test"))
    assert (len(train), len(test)) == (32, 8)
    assert not train & test


def test_uint8_is_taken_as_it_is_and_labels_are_optional():
    images = torch.arange(40, dtype=torch.uint8).view(40, 1, 1, 1).expand(40, 3, 8, 8)
    data = images_of(Given(images))
    assert torch.equal(data.split("test")[0], images)
    assert data.split("test")[1].tolist() == [-1] * 40
    assert data.image_shape == (3, 8, 8)


def test_multi_hot_labels():
    data = images_of(Given(IMAGES, torch.nn.functional.one_hot(LABELS).float()))
    assert data.condition_dim == 4
    assert data.labeled()[1].shape == (30 + 10, 4)


@pytest.mark.parametrize("split", ["test", "validate"])
def test_the_validation_data_stand_in_for_a_test(split):
    assert len(images_of(Given(IMAGES, LABELS, split=split)).split("test")[0]) == 40


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (Given(127.5 * (IMAGES + 1)), "yields images from 0 to [0-9.]+, torch.float32; expected \\[-1, 1\\]"),
        (Given(LABELS), "its batches contain tensors of shape \\(16,\\), expected \\(images, labels\\)"),
        (Given(IMAGES.expand(40, 2, 8, 8), LABELS), "tensors of shape \\(16, 2, 8, 8\\)"),
        (Gaussian1D([1]), "Gaussian1D has no images to evaluate"),
    ],
)
def test_refused(module, message):
    with pytest.raises(UserError, match=message):
        images_of(module)


def test_without_test_images():
    with pytest.raises(NoSuchSplit, match="Given has no test images: no test_dataloader or val_dataloader"):
        images_of(Given(IMAGES, split=None)).split("test")


def test_metrics_of_a_foreign_module():
    reference = Reference(Random(), Given(IMAGES, LABELS), "test")
    assert reference.protocol["data"] == "Given"
    same = reference.metrics(reference.extractor(reference.data.split("test")[0]), seed=0)
    other = reference.metrics(reference.extractor(reference.data.split("test")[0] // 4), seed=0)
    assert same["fid"] == pytest.approx(0, abs=1e-3)
    assert other["fid"] > same["fid"] + 1e-2


def test_a_classifier_needs_labels():
    with pytest.raises(UserError, match="Given has no labels to train a classifier on"):
        Reference(Classifier(), Given(IMAGES), "test")


def test_a_resumed_run_says_what_it_cannot_promise():
    with pytest.warns(UserWarning, match="a DataLoader of Numbered, has no state_dict") as caught:
        warn_of_inexact_resume([PlainData([1, 4, 4]).train_dataloader()] * 2)
    assert len(caught) == 1
    warn_of_inexact_resume(ResumableLoader([1, 2]))  # a warning would be an error


@pytest.mark.slow
def test_a_run_on_it_is_measured_resumed_and_evaluated(command, tmp_path):
    (tmp_path / "conf" / "data").mkdir(parents=True)
    text = "_target_: helpers.PlainData\nimage_shape: [1, 28, 28]\ncondition_dim: 10\nbatch_size: 16\n"
    (tmp_path / "conf" / "data" / "plain.yaml").write_text(text)
    options = ("--config-dir", f"{tmp_path}/conf", *TINY[:-1], "data=plain", "metrics=random")
    first = command("run", *options, "callbacks.evaluation.num=64", "trainer.max_steps=5")
    assert first.code == 0, first.output
    assert first.summary["final"]["metric/fid"] > 0
    with pytest.warns(UserWarning, match="An epoch that was begun starts again"):
        second = command("run", f"resume={first.folder}", "trainer.max_steps=10")
    assert second.code == 0, second.output
    assert second.summary["step"] == 10
    report = gan_lightning.evaluate(second.folder, num=64, repeats=1, extractor="random")
    assert report["protocol"]["data"] == "PlainData"
    assert report["memorization"]["nearest_real_images"] > 0
