"""A Trainer run by hand, as README's "From Python" has it: its checkpoint is read like any other."""

import json

import lightning
import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

import gan_lightning
from gan_lightning.cli import generate
from gan_lightning.data import Digits
from gan_lightning.errors import UserError
from gan_lightning.models import GAN
from gan_lightning.networks import MLPDiscriminator, MLPGenerator

SHAPE = (1, 8, 8)


def trained(path, generator=None, data=None):
    """The checkpoint of three batches."""
    model = GAN(generator or MLPGenerator(4, SHAPE, [8]), MLPDiscriminator(SHAPE, [8]))
    trainer = lightning.Trainer(
        max_steps=3,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, **({"train_dataloaders": data} if data else {"datamodule": Digits(SHAPE, limit=200)}))
    trainer.save_checkpoint(path)
    return model, path


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    return trained(tmp_path_factory.mktemp("by hand") / "mine.ckpt")


def test_it_is_loaded(by_hand):
    model, path = by_hand
    loaded = gan_lightning.load(path)
    assert all(torch.equal(weight, loaded.state_dict()[name]) for name, weight in model.state_dict().items())
    assert torch.equal(loaded.sample(3, seed=1), model.sample(3, seed=1))


def test_it_is_drawn_from(by_hand, tmp_path):
    model, path = by_hand
    generate.main([str(path), "--num", "5", "--seed", "1", "--out", str(tmp_path / "x.npz")])
    images = np.load(tmp_path / "x.npz")["images"]
    assert np.array_equal(images, model.sample(5, seed=1).add(1).mul(127.5).round().to(torch.uint8).numpy())


def test_it_is_evaluated_on_its_own_data(by_hand):
    _, path = by_hand
    report = gan_lightning.evaluate(path, num=40, repeats=1, extractor="random")
    assert report["protocol"]["data"] == "Digits"
    assert report["protocol"]["image_shape"] == list(SHAPE)
    assert report["metrics"]["fid"]["value"] > 0
    assert json.loads((path.parent / "evaluation_mine.json").read_text())["metrics"] == report["metrics"]
    assert torch.load(path, weights_only=True)["data"]["limit"] == 200


def test_a_run_does_not_go_on_from_it(by_hand, tmp_path):
    from gan_lightning.training import resume
    from tests.training.test_experiment import CONFIG

    with pytest.raises(UserError, match="was written by a Trainer of your own"):
        resume.matching_checkpoint(by_hand[1], CONFIG)


class Mine(nn.Module):
    """A generator that does not say how it was made."""

    latent_dim = 4

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 64)

    def forward(self, z, condition=None):
        return self.layer(z).tanh().view(-1, *SHAPE)


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*", "ignore:.*batch_size.*")
def test_what_does_not_describe_itself_is_refused(tmp_path):
    batches = DataLoader([(torch.zeros(SHAPE), 0)] * 64, batch_size=16)
    _, path = trained(tmp_path / "mine.ckpt", Mine(), batches)
    with pytest.raises(UserError, match=r"generator \(tests.training.test_by_hand.Mine\)"):
        gan_lightning.load(path)
    _, path = trained(tmp_path / "other.ckpt", data=batches)
    with pytest.raises(UserError, match="does not say what data it was trained on"):
        gan_lightning.evaluate(path, num=10)
