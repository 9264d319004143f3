"""Latent consistency: D's logits of near latents are drawn together, and G's samples apart."""

import pytest
import torch

from gan_lightning import rng
from gan_lightning.models import ZCRGAN
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
