"""Latent consistency: D's logits of near latents are drawn together, and G's samples apart."""

import pytest
import torch

from gan_lightning import rng
from gan_lightning.models import ZCRGAN
from gan_lightning.networks import StyleGAN2Discriminator, StyleGAN2Generator
from tests.models.test_papers import COUNT, LATENT, batch, probe, terms, z


def drawn(purpose):
    return torch.randn(COUNT, LATENT, generator=rng.generator("rows", purpose, 3, 0))


@pytest.mark.parametrize("conditional", [False, True])
def test_both_players_have_the_papers_terms(conditional):
    model = probe(ZCRGAN, conditional, latent_std=0.1, discriminator_weight=3.0, generator_weight=0.7)
    condition = batch(conditional).condition

    def samples(latents):
        return model.generator(latents, condition)

    latents = z("discriminator")
    near = samples(latents + 0.1 * drawn("zcr"))
    logits = [model.discriminator(each, condition) for each in (samples(latents), near)]
    expected = 3 * (logits[0] - logits[1]).square().mean()
    assert terms(model, "discriminator", conditional)["zcr"] == pytest.approx(expected.item(), rel=1e-4)
    latents = z("generator")
    distance = samples(latents) - samples(latents + 0.1 * drawn("generator_regularizers.zcr"))
    expected = -0.7 * distance.square().mean()
    assert terms(model, "generator", conditional)["zcr"] == pytest.approx(expected.item(), rel=1e-4)


def test_packs_are_refused():
    with pytest.raises(ValueError, match=r"model.pack=2: zCR moves the latents of single samples"):
        probe(ZCRGAN, pack=2)


@pytest.mark.parametrize("drawn", [{"noise": False}, {"style_mixing": 0.0}, {"noise": False, "style_mixing": 0.0}])
def test_a_generator_with_random_numbers_of_its_own_is_refused(drawn):
    shape = [1, 16, 16]
    players = StyleGAN2Generator(4, shape, 2, **drawn), StyleGAN2Discriminator(shape, 2)
    if len(drawn) == 2:
        ZCRGAN(*players)
        return
    with pytest.raises(ValueError, match=r"network.generator: .* set network.generator.noise=false and"):
        ZCRGAN(*players)
