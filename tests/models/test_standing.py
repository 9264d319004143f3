"""model.standing_statistics: batch norm measured on the weights that generate."""

import copy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

import gan_lightning
from gan_lightning.models import GAN
from gan_lightning.models.standing import batch_norms, with_standing_statistics
from tests.conftest import TINY
from tests.models.test_gan import networks

OPTIONS = (*TINY, "network.generator.batch_norm=true", "trainer.max_steps=6", "trainer.log_every_n_steps=2")


def test_the_statistics_are_those_that_torch_computes():
    generator, _ = networks()
    batches = torch.randn(5, 32, 6).unbind()
    found = with_standing_statistics(generator, [(z, None) for z in batches])
    expected = copy.deepcopy(generator)
    update_bn(batches, expected)
    assert len(batch_norms(found)) == 1
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(found.state_dict()[name], value, rtol=0, atol=0)
    assert not torch.equal(batch_norms(found)[0].running_mean, batch_norms(generator)[0].running_mean)
    assert not any(layer.training for layer in found.modules())


def test_only_batch_norm_is_in_training_mode():
    class Counted(nn.Module):
        latent_dim = 6

        def __init__(self):
            super().__init__()
            self.norm, self.dropout = nn.BatchNorm1d(6), nn.Dropout(1.0)

        def forward(self, z, condition=None):
            return self.dropout(self.norm(z + condition))

    z, condition = torch.randn(64, 6), torch.ones(64, 6)
    found = with_standing_statistics(Counted(), [(z, condition)])
    torch.testing.assert_close(found(z, condition).mean(0), torch.zeros(6), atol=1e-5, rtol=0)
    assert found(z, condition).std() > 0.9


def test_a_run_generates_by_them_and_trains_as_without(train):
    """Its samples, its checkpoint's and its exported generator's are the same; its weights are those without them."""
    plain = train("plain", *OPTIONS)
    run = train("run", *OPTIONS, "model.standing_statistics=4")
    assert run.code == 0, run.output
    for name, value in plain.checkpoint["state_dict"].items():
        assert torch.equal(run.checkpoint["state_dict"][name], value), name
    model = gan_lightning.load(run.folder)
    z = model.fixed_z(8, seed=3)
    samples = model.sample(8, seed=3)
    assert not torch.equal(samples, gan_lightning.load(plain.folder).sample(8, seed=3))
    exported = gan_lightning.load(run.folder / "checkpoints" / "generator.safetensors")
    with torch.no_grad():
        torch.testing.assert_close(exported(z), samples, rtol=0, atol=0)
    assert torch.equal(samples, model.sample(8, seed=3))  # and it has changed nothing of the model


def test_conditional_models_measure_over_the_conditions_of_the_data(train):
    run = train("run", *OPTIONS, "model=cgan", "model.standing_statistics=2")
    assert run.code == 0, run.output
    batches = list(gan_lightning.load(run.folder)._standing_batches())
    assert len(batches) == 2
    assert all(condition.sum(1).eq(1).all() and condition.any(0).all() for _, condition in batches)


def test_a_network_without_batch_norm_is_refused():
    with pytest.raises(ValueError, match=r"model.standing_statistics=4: MLPGenerator has no batch norm; set it to 0"):
        GAN(*networks(batch_norm=False), standing_statistics=4)
