"""SAN: the loss trains all but the direction of D's last layer, and Wasserstein's part that direction alone."""

import pytest
import torch

from gan_lightning.losses import NonSaturating, RelativisticPairs
from gan_lightning.models import SAN
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from gan_lightning.networks import (
    AutoencoderDiscriminator,
    MLPDiscriminator,
    MLPGenerator,
    StyleGAN2Discriminator,
    StyleGAN2Generator,
)
from tests.models.test_papers import SHAPE, batch, logits, probe, terms


@pytest.mark.parametrize("join", ["none", "projection", "inner_product"])
def test_the_logits_are_those_of_the_network(join):
    conditional = join != "none"
    discriminator = MLPDiscriminator(SHAPE, [8], condition_dim=3, join=join) if conditional else None
    model = probe(SAN, conditional, discriminator=discriminator)
    output = model.discriminate(batch(conditional))
    torch.testing.assert_close(output.logits, model.discriminator(batch(conditional).samples, output.condition))


@pytest.mark.parametrize(("classes", "join"), [(0, "concat"), (3, "projection"), (3, "inner_product"), (3, "concat")])
def test_the_logits_are_those_of_a_network_with_equalized_layers(classes, join):
    """Their weights have a gain that the head's `factors` have, too."""
    discriminator = StyleGAN2Discriminator([1, 16, 16], base_channels=2, condition_dim=classes, join=join)
    generator = StyleGAN2Generator(4, [1, 16, 16], base_channels=2, condition_dim=classes)
    model = SAN(generator, discriminator, conditional=classes > 0)
    torch.nn.init.ones_(discriminator.head.linear.bias)
    condition = torch.eye(3)[:2] if classes else None
    output = model.discriminate(Batch(torch.randn(2, 1, 16, 16), condition))
    torch.testing.assert_close(output.logits, discriminator.head(output.features, condition))


def test_each_part_of_the_weights_has_its_own_objective():
    """Of the last layer's weights, the loss has a slope along them alone, and the second part one across them."""
    model = probe(SAN, loss=NonSaturating())
    weight = model.discriminator.head.linear.weight
    output = model.losses(("discriminator",), batch(), Draws(3, 0, torch.device("cpu")))["terms"]["discriminator"]
    (of_loss,) = torch.autograd.grad(output["real"] + output["fake"], weight, retain_graph=True)
    slice_ = output["direction_real"] + output["direction_fake"]
    of_slice, of_body = torch.autograd.grad(
        slice_, [weight, model.discriminator.body[1].weight], retain_graph=True, allow_unused=True
    )
    assert of_body is None
    torch.testing.assert_close(torch.cosine_similarity(of_loss, weight).abs(), torch.ones(1))
    torch.testing.assert_close(torch.cosine_similarity(of_slice, weight), torch.zeros(1), atol=1e-5, rtol=0)
    assert of_slice.norm() > 1e-3


def test_the_second_part_is_the_difference_of_the_mean_logits():
    model = probe(SAN, loss=NonSaturating())
    found = terms(model, "discriminator")
    real, fake = (each.mean().item() for each in logits(model, "discriminator"))  # the bias cancels
    assert found["direction_real"] + found["direction_fake"] == pytest.approx(fake - real, rel=1e-4)


def test_what_does_not_fit_is_refused():
    with pytest.raises(
        ValueError, match=r"model.loss: RelativisticPairs has no terms of real and of fake samples alone"
    ):
        probe(SAN, loss=RelativisticPairs())
    with pytest.raises(ValueError, match=r"network.discriminator: AutoencoderDiscriminator has no features for SAN"):
        SAN(MLPGenerator(4, SHAPE, [8]), AutoencoderDiscriminator(SHAPE, [8], 4))
    discriminator = MLPDiscriminator(SHAPE, [8])
    discriminator.head = torch.nn.Identity()
    with pytest.raises(ValueError, match=r"network.discriminator: MLPDiscriminator has no linear last layer"):
        probe(SAN, discriminator=discriminator)
