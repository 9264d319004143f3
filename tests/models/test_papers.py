"""The terms of every variant against its paper's formula, on its own draws, without training."""

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot, softplus

from gan_lightning import models, rng
from gan_lightning.losses import BoundaryEquilibrium, StepOutput, penalties
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from gan_lightning.networks import AutoencoderDiscriminator, MLPDiscriminator, MLPGenerator

SHAPE, COUNT, LATENT = [1, 4, 4], 8, 16


def probe(kind, conditional=False, told=None, discriminator=None, **more):
    """A model with small networks; `told`: whether D is told the condition."""
    told = conditional if told is None else told
    torch.manual_seed(0)
    generator = MLPGenerator(LATENT, SHAPE, [8], condition_dim=3 * conditional)
    discriminator = discriminator or MLPDiscriminator(SHAPE, [8], condition_dim=3 * told)
    return kind(generator, discriminator, conditional=conditional, seed=3, **more)


def batch(conditional=False):
    real = torch.randn(COUNT, *SHAPE, generator=torch.Generator().manual_seed(1))
    return Batch(real, one_hot(torch.arange(COUNT) % 3, 3).float() if conditional else None)


def z(purpose):
    return torch.randn(COUNT, LATENT, generator=rng.generator("latent", purpose, 3, 0))


def terms(model, player, conditional=False, batch_index=0):
    output = model.losses((player,), batch(conditional), Draws(3, batch_index, torch.device("cpu")))
    return {name: term.item() for name, term in output["terms"][player].items()}


def logits(model, purpose):
    return model.discriminator(batch().samples), model.discriminator(model.generator(z(purpose)))


LOSSES = {
    "GAN": (lambda r, f: softplus(-r).mean() + softplus(f).mean(), lambda r, f: softplus(-f).mean()),
    "MinimaxGAN": (lambda r, f: softplus(-r).mean() + softplus(f).mean(), lambda r, f: -softplus(f).mean()),
    "LSGAN": (lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2, lambda r, f: ((f - 1) ** 2).mean() / 2),
    "WGAN": (lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
    "HingeGAN": (lambda r, f: (1 - r).clamp(0).mean() + (1 + f).clamp(0).mean(), lambda r, f: -f.mean()),
    "RelativisticGAN": (
        lambda r, f: softplus(f.mean() - r).mean() + softplus(f - r.mean()).mean(),
        lambda r, f: softplus(r.mean() - f).mean() + softplus(r - f.mean()).mean(),
    ),
    "R3GAN": (lambda r, f: softplus(f - r).mean(), lambda r, f: softplus(r - f).mean()),
}


@pytest.mark.parametrize("name", LOSSES)
def test_both_players_minimize_what_the_paper_says(name):
    model = probe(getattr(models, name))
    for player, formula in zip(("discriminator", "generator"), LOSSES[name], strict=True):
        found = sum(terms(model, player).values())
        assert found == pytest.approx(formula(*logits(model, player)).item(), rel=1e-5), player


def test_sngan_is_the_hinge_loss_on_normalized_weights():
    model = probe(models.SNGAN).eval()  # eval: the power method rests
    r, f = logits(model, "discriminator")
    found = sum(terms(model, "discriminator").values())
    assert found == pytest.approx(((1 - r).clamp(0).mean() + (1 + f).clamp(0).mean()).item(), rel=1e-5)


def test_wgan_clips_the_weights_of_the_discriminator_alone():
    model = probe(models.WGAN, clip=0.01)
    generators = [p.clone() for p in model.generator.parameters()]
    for player in ("discriminator", "generator"):
        model.after_step(player)
    assert max(p.abs().max().item() for p in model.discriminator.parameters()) == pytest.approx(0.01)
    assert all(torch.equal(a, b) for a, b in zip(generators, model.generator.parameters(), strict=True))


def test_lazy_penalties_count_as_many_times():
    def constant(discriminate, real, fake, rows, *, weight):
        return torch.tensor(weight)

    model = probe(models.GAN, penalties={"constant": lambda *a: constant(*a, weight=2.0)}, penalty_every=4)
    found = []
    for index in range(8):
        found.append(terms(model, "discriminator", batch_index=index).get("constant"))
    assert found == [None, None, None, 8.0] * 2


def test_penalties_draw_noise_for_every_sample():
    seen = {}

    def spy(discriminate, real, fake, noise, *, weight=1.0):
        seen["noise"] = noise(torch.rand, 1, 1, 1)
        return penalties.wgan_gp(discriminate, real, fake, noise, weight=weight)

    terms(probe(models.WGAN, penalties={"gp": spy}), "discriminator")
    expected = torch.rand(COUNT, 1, 1, 1, generator=rng.generator("rows", "gp", 3, 0))
    assert torch.equal(seen["noise"], expected)


def test_acgan_adds_the_classes_of_both_batches():
    model = probe(models.ACGAN, conditional=True, told=False, classes=3, class_weight=0.5)
    real, condition = batch(conditional=True).samples, batch(conditional=True).condition
    found = terms(model, "discriminator", conditional=True)
    fake = model.generator(z("discriminator"), condition)
    classes = torch.arange(COUNT) % 3
    for name, images in (("class_real", real), ("class_fake", fake)):
        class_logits = model.heads["class"].linear(model.discriminator.body(images))
        assert found[name] == pytest.approx(0.5 * cross_entropy(class_logits, classes).item(), rel=1e-5)
    assert found["real"] == pytest.approx(softplus(-model.discriminator(real)).mean().item(), rel=1e-5)
    fake = model.generator(z("generator"), condition)
    class_logits = model.heads["class"].linear(model.discriminator.body(fake))
    found = terms(model, "generator", conditional=True)
    assert found["class"] == pytest.approx(0.5 * cross_entropy(class_logits, classes).item(), rel=1e-5)


def test_acgan_needs_classes():
    with pytest.raises(ValueError, match=r"model.conditional=false: ACGAN needs classes"):
        probe(models.ACGAN, classes=3)


def test_infogan_reads_the_code_back():
    model = probe(models.InfoGAN, categories=4, continuous=2, info_weight=0.3)
    code = model.sample_z(COUNT, Draws(3, 0, torch.device("cpu")), "generator")
    one_hots, uniform = code[:, 10:14], code[:, 14:]
    assert torch.equal(one_hots.sum(1), torch.ones(COUNT))
    assert set(one_hots.unique().tolist()) == {0.0, 1.0}
    assert uniform.abs().max() <= 1
    q = model.heads["info"].linear(model.discriminator.body(model.generator(code)))
    mean, log_variance = q[:, 4:6], q[:, 6:8]
    normal = torch.distributions.Normal(mean, (log_variance / 2).exp())
    information = normal.log_prob(uniform).sum(1).mean() + torch.log(torch.tensor(2 * torch.pi))  # but for a constant
    expected = 0.3 * (cross_entropy(q[:, :4], one_hots.argmax(1)) - information)
    assert terms(model, "generator")["info"] == pytest.approx(expected.item(), rel=1e-4)
    assert terms(model, "discriminator")["info"] != 0


def test_infogan_has_room_for_its_code():
    with pytest.raises(ValueError, match=r"latent_dim=16: expected more than .* = 22"):
        probe(models.InfoGAN, categories=20, continuous=2)


def test_began_balances_reconstructions():
    loss = BoundaryEquilibrium(gamma=0.5, lambda_k=0.1)
    model = probe(models.BEGAN, discriminator=AutoencoderDiscriminator(SHAPE, [8], 4), loss=loss)
    loss.k.fill_(0.3)
    images = {"real": batch().samples} | {kind: model.generator(z(kind)) for kind in ("discriminator", "generator")}
    error = {name: (x - model.discriminator.reconstruct(x)).abs().mean().item() for name, x in images.items()}
    d_terms, g_terms = terms(model, "discriminator"), terms(model, "generator")
    assert d_terms["real"] == pytest.approx(error["real"], rel=1e-5)
    assert d_terms["fake"] == pytest.approx(-0.3 * error["discriminator"], rel=1e-5)
    assert g_terms["fake"] == pytest.approx(error["generator"], rel=1e-5)
    found = {"discriminator": d_terms, "generator": g_terms}
    model.on_step_end(StepOutput(terms=tensors(found), logits={}))
    off = 0.5 * error["real"] - error["generator"]
    assert loss.k.item() == pytest.approx(0.3 + 0.1 * off, rel=1e-5)
    assert loss.metrics(StepOutput(terms=tensors(found), logits={}))["began/convergence"].item() == pytest.approx(
        error["real"] + abs(off), rel=1e-5
    )
    model.on_step_end(StepOutput(terms=tensors({"discriminator": d_terms}), logits={}))  # G has not moved
    assert loss.k.item() == pytest.approx(0.3 + 0.1 * off, rel=1e-5)


def tensors(terms):
    return {player: {name: torch.tensor(value) for name, value in found.items()} for player, found in terms.items()}
