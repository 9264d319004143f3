"""Feature matching: G sees the mean features of real samples, and nothing else of D."""

import pytest
import torch

from gan_lightning.losses import Hinge, TopK
from gan_lightning.models import FeatureMatchingGAN
from gan_lightning.models.draws import Draws
from tests.models.test_papers import batch, logits, probe, terms, z


def test_the_generator_minimizes_the_distance_of_the_means():
    model = probe(FeatureMatchingGAN)
    real, fake = (model.discriminator.features(x) for x in (batch().samples, model.generator(z("generator"))))
    expected = (real.mean(0) - fake.mean(0)).norm() ** 2
    assert terms(model, "generator") == {"features": pytest.approx(expected.item(), rel=1e-4)}
    found = terms(model, "discriminator")
    real_logits, fake_logits = logits(model, "discriminator")
    softplus = torch.nn.functional.softplus
    assert found["real"] == pytest.approx(softplus(-real_logits).mean().item(), rel=1e-5)
    assert found["fake"] == pytest.approx(softplus(fake_logits).mean().item(), rel=1e-5)


def test_players_that_step_together_keep_their_gradients():
    """In one forward pass, as in two: what D's graph of the real samples holds is not the generator's."""
    model = probe(FeatureMatchingGAN)
    output = model.losses(("discriminator", "generator"), batch(), Draws(3, 0, torch.device("cpu")))
    features = output["terms"]["generator"]["features"]
    (of_body,) = torch.autograd.grad(features, model.discriminator.body[1].weight, retain_graph=True)
    fake = model.discriminator.features(model.generator(z("both")))
    real = model.discriminator.features(batch().samples).detach()
    (expected,) = torch.autograd.grad((real.mean(0) - fake.mean(0)).square().sum(), model.discriminator.body[1].weight)
    torch.testing.assert_close(of_body, expected)


def test_a_loss_whose_part_for_the_generator_is_not_used_is_refused():
    with pytest.raises(ValueError, match=r"model.loss: TopK chooses the samples of G's term"):
        probe(FeatureMatchingGAN, loss=TopK(Hinge()))
