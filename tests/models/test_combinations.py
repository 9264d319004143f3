"""Parts combine: every model with other losses, phases, penalties and heads, in Python and by configuration."""

import inspect
from functools import partial

import pytest
import torch
from torch.nn.functional import cross_entropy, softplus

from gan_lightning import losses, models, rng
from gan_lightning.config import allowlist
from gan_lightning.data import Digits
from gan_lightning.errors import UserError
from gan_lightning.labels import LabelVocabulary
from gan_lightning.losses import AdaptiveAugment, ClassifierHead, penalties
from gan_lightning.models import GAN, simultaneous
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from gan_lightning.networks import AutoencoderDiscriminator
from tests.models.composed import SMALL, build_both, build_model
from tests.models.test_gan import ADAM, SGD, fit, networks, trainer
from tests.models.test_papers import batch, probe, z
from tests.models.test_variants import conditional_networks, stream

DRAWS = Draws(3, 0, torch.device("cpu"))
BOTH = ("discriminator", "generator")


def terms_of(model, players, conditional=False):
    return model.losses(players, batch(conditional), DRAWS)["terms"]


def close(terms, **expected):
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(terms[name].detach(), value.detach())


# Formulas


def test_acgan_with_hinge():
    model = probe(models.ACGAN, conditional=True, told=False, classes=3, class_weight=0.5, loss=losses.Hinge())
    real, labels = batch(conditional=True), torch.arange(8) % 3

    def classes(samples):
        return 0.5 * cross_entropy(model.heads["class"].linear(model.discriminator.body(samples)), labels)

    fake = model.generator(z("discriminator"), real.condition)
    close(
        terms_of(model, ("discriminator",), conditional=True)["discriminator"],
        real=(1 - model.discriminator(real.samples)).clamp(0).mean(),
        fake=(1 + model.discriminator(fake)).clamp(0).mean(),
        class_real=classes(real.samples),
        class_fake=classes(fake),
    )
    fake = model.generator(z("generator"), real.condition)
    close(
        terms_of(model, ("generator",), conditional=True)["generator"],
        **{"fake": -model.discriminator(fake).mean(), "class": classes(fake)},
    )


def test_matching_aware_with_hinge():
    model = models.MatchingAwareGAN(*conditional_networks(), conditional=True, loss=losses.Hinge(), seed=3)
    model.vocabulary = LabelVocabulary.of_labels("0123456789", torch.arange(10))
    wrong = model.vocabulary.sample(16, rng.generator("conditions", "wrong", 3, 0))
    labels = wrong.argmax(1)
    labels[4:] = (labels[4:] + 3) % 10  # the first four draws happen to be right
    real = Batch(torch.randn(16, 1, 8, 8), model.vocabulary.encode(labels))
    is_wrong = torch.arange(16) >= 4
    fake = model.generator(torch.randn(16, 6, generator=rng.generator("latent", "discriminator", 3, 0)), real.condition)
    close(
        model.losses(("discriminator",), real, DRAWS)["terms"]["discriminator"],
        real=(1 - model.discriminator(real.samples, real.condition)).clamp(0).mean(),
        fake=(1 + model.discriminator(fake, real.condition)).clamp(0).mean() / 2,
        mismatch=((1 + model.discriminator(real.samples, wrong)).clamp(0) * is_wrong).mean() / 2,
    )
    fake = model.generator(torch.randn(16, 6, generator=rng.generator("latent", "generator", 3, 0)), real.condition)
    close(
        model.losses(("generator",), real, DRAWS)["terms"]["generator"],
        fake=-model.discriminator(fake, real.condition).mean(),
    )


@pytest.mark.parametrize("phases", [models.alternating, simultaneous])
def test_relativistic_pairs_in_both_phases(phases):
    model = probe(models.R3GAN, phases=phases)
    real = model.discriminator(batch().samples)
    for players in phases(0, 1):
        fake = model.discriminator(model.generator(z("both" if len(players) == 2 else players[0])))
        terms = terms_of(model, players)
        expected = {"discriminator": softplus(fake - real).mean(), "generator": softplus(real - fake).mean()}
        assert tuple(terms) == players
        for player in players:
            close(terms[player], pairs=expected[player])


def test_penalties_and_heads_join_any_loss():
    more = {"penalties": {"r1": partial(penalties.r1, weight=2.0), "r2": partial(penalties.r2, weight=2.0)}}
    more["heads"] = {"class": partial(ClassifierHead, num_classes=3)}
    model = probe(models.WGAN, conditional=True, told=False, **more)
    found = terms_of(model, ("discriminator",), conditional=True)["discriminator"]
    assert list(found) == ["real", "fake", "r1", "r2", "class_real", "class_fake"]
    real = batch().samples.requires_grad_(True)
    (slope,) = torch.autograd.grad(model.discriminator(real).sum(), real)
    torch.testing.assert_close(found["r1"].detach(), slope.square().sum((1, 2, 3)).mean())


def test_simultaneous_least_squares_against_a_loop():
    model = GAN(*networks(), optimizer=SGD, loss=losses.LeastSquares(), phases=simultaneous, seed=5)
    fit(model, max_steps=5)
    generator, discriminator = networks()
    d_optimizer, g_optimizer = SGD(discriminator.parameters()), SGD(generator.parameters())
    batches = stream(Digits([1, 8, 8], batch_size=32, seed=5))
    for step in range(5):
        real_logits = discriminator(next(batches)[0])
        fake_logits = discriminator(generator(torch.randn(32, 6, generator=rng.generator("latent", "both", 5, step))))
        d_loss = ((real_logits - 1) ** 2).mean() / 2 + (fake_logits**2).mean() / 2
        g_loss = ((fake_logits - 1) ** 2).mean() / 2
        d_gradients = torch.autograd.grad(d_loss, list(discriminator.parameters()), retain_graph=True)
        g_gradients = torch.autograd.grad(g_loss, list(generator.parameters()))
        for network, gradients in ((discriminator, d_gradients), (generator, g_gradients)):
            for parameter, gradient in zip(network.parameters(), gradients, strict=True):
                parameter.grad = gradient
        d_optimizer.step()
        g_optimizer.step()
    for got, expected in ((model.generator, generator), (model.discriminator, discriminator)):
        torch.testing.assert_close(dict(got.state_dict()), dict(expected.state_dict()))


# By configuration

COMBINED = {
    "model=acgan model/loss=hinge": ("Hinge", {"real", "fake", "class_real", "class_fake"}),
    "model=infogan model/loss=wasserstein model/penalties=wgan_gp": (
        "Wasserstein",
        {"real", "fake", "wgan_gp", "info"},
    ),
    "model=lsgan model/phases=simultaneous": ("LeastSquares", {"real", "fake"}),
    "model=projection model/loss=relativistic_pairs model.generator_batch_size=null": ("RelativisticPairs", {"pairs"}),
    "model=matching_aware model/loss=hinge": ("Hinge", {"real", "fake", "mismatch"}),
    "model=hinge model/penalties=[r1,r2]": ("Hinge", {"real", "fake", "r1", "r2"}),
    "model=acgan model/phases=simultaneous regularizer=lecam": (
        "NonSaturating",
        {"real", "fake", "lecam", "class_real", "class_fake"},
    ),
    "model=wgan_gp model.conditional=true network.discriminator.condition_dim=0 "
    "+model.heads={class:{_target_:gan_lightning.losses.ClassifierHead,_partial_:true,num_classes:10}}": (
        "Wasserstein",
        {"real", "fake", "wgan_gp", "class_real", "class_fake"},
    ),
}


@pytest.mark.parametrize("line", COMBINED)
def test_a_combination_is_a_command_line(line):
    name, expected = COMBINED[line]
    model, data = build_both(*line.split(), "model.n_critic=1", *SMALL)
    assert type(model.loss) is getattr(losses, name)
    outputs = []
    model.on_train_batch_end = lambda output, *_: outputs.append(output)
    trainer(2).fit(model, data)
    assert len(outputs) == 2
    for output in outputs:
        assert output["terms"]["discriminator"].keys() == expected
        assert set(output["terms"]) == set(BOTH)
        assert not any(term.requires_grad for terms in output["terms"].values() for term in terms.values())


# What cannot be combined says why


@pytest.mark.parametrize("loss", ["relativistic_pairs", "relativistic_average", "boundary_equilibrium"])
def test_a_matching_aware_gan_needs_a_term_of_fake_samples(loss):
    network = ("network=autoencoder",) if loss == "boundary_equilibrium" else ()  # BEGAN's D has to reconstruct
    with pytest.raises(UserError, match=r"model\.loss: \w+ has no term of fake samples alone.*model/loss=non_sat"):
        build_model("model=matching_aware", f"model/loss={loss}", *network, *SMALL[:3])


@pytest.mark.parametrize("loss", ["wasserstein", "least_squares", "relativistic_pairs"])
def test_adaptive_augmentation_needs_logits_with_a_sign(loss):
    with pytest.raises(UserError, match=r"says nothing under model\.loss=\w+; choose augment=diffaugment"):
        build_model("model=gan", f"model/loss={loss}", "augment=adaptive", *SMALL)
    assert isinstance(build_model("model=gan", "model/loss=hinge", "augment=adaptive", *SMALL).augment, AdaptiveAugment)


def test_heads_need_features():
    for kind, more in ((GAN, {"heads": {"class": partial(ClassifierHead, num_classes=3)}}), (models.InfoGAN, {})):
        with pytest.raises(ValueError, match="AutoencoderDiscriminator has no features for a second head; choose"):
            probe(kind, discriminator=AutoencoderDiscriminator([1, 4, 4], [8], 4), **more)


@pytest.mark.parametrize("kind", [models.LSGAN, models.BEGAN, models.SimultaneousGAN])
def test_players_that_step_together_refuse_half_precision(kind):
    discriminator = AutoencoderDiscriminator([1, 4, 4], [8], 4) if kind is models.BEGAN else None
    model = probe(kind, discriminator=discriminator, phases=simultaneous, n_critic=3)
    model.trainer = type("Half", (), {"precision": "16-mixed"})
    with pytest.raises(UserError, match=r"trainer\.precision=16-mixed: .*bf16-mixed or 32-true"):
        model.setup("fit")


def test_two_heads_of_one_kind_are_refused():
    head = partial(ClassifierHead, num_classes=3)
    model = probe(GAN, conditional=True, told=False, heads={"one": head, "two": head})
    with pytest.raises(ValueError, match="two parts of a player's loss are named class_fake, class_real"):
        terms_of(model, ("discriminator",), conditional=True)


# Positions in a run


def test_began_with_two_critic_steps_logs_every_batch():
    """Convergence is there once G has moved; in the first batch, where it has not, it is not yet."""
    model = probe(models.BEGAN, discriminator=AutoencoderDiscriminator([1, 4, 4], [8], 4), n_critic=2, optimizer=ADAM)
    logged = []
    model.log_now = logged.append
    trainer(4, log_every_n_steps=1).fit(model, Digits([1, 4, 4], batch_size=32))
    assert ["began/convergence" in values for values in logged] == [False, True, True, True]
    assert ["loss/generator" in values for values in logged] == [False, True, True, True]
    assert all("began/k" in values for values in logged)


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"phases": simultaneous},
        {"regularizers": {"lecam": losses.LeCam(weight=0.1)}, "penalties": {"gp": partial(losses.wgan_gp, weight=1.0)}},
        {"augment": AdaptiveAugment(every_n_batches=1, ada_images=64)},
        {"loss": losses.RelativisticAverage()},
    ],
    ids=["gan", "simultaneous", "lecam", "ada", "relativistic"],
)
def test_a_model_in_double_precision_computes_in_it(more):
    model = GAN(*conditional_networks(), seed=3, **more).double()
    real = Batch(torch.rand(8, 1, 8, 8, dtype=torch.float64), torch.eye(10, dtype=torch.float64)[:8])
    for players in model.phases(0, 1):
        output = model.losses(players, real, DRAWS)
        found = [*output["logits"].values(), *(t for terms in output["terms"].values() for t in terms.values())]
        assert {value.dtype for value in found} == {torch.float64}
        if output["logits"]:
            model.on_step_end(output)
    assert {b.dtype for b in model.buffers() if b.is_floating_point()} <= {torch.float64}
    model.vocabulary = LabelVocabulary.of_labels("0123456789", torch.arange(10))
    assert model.sample(3, label=2).dtype == torch.float64


def test_a_conditional_model_trains_in_double_precision():
    model = models.MatchingAwareGAN(*conditional_networks(), conditional=True, optimizer=ADAM, seed=3)
    runner = trainer(2, precision="64-true", log_every_n_steps=1)
    runner.fit(model, Digits([1, 8, 8], batch_size=32))
    assert {p.dtype for p in model.parameters()} == {torch.float64}
    assert runner.callback_metrics["loss/generator"].isfinite()


def test_the_list_of_what_a_configuration_may_call_has_every_part():
    for name in losses.__all__:
        part = getattr(losses, name)
        if inspect.isfunction(part) or (inspect.isclass(part) and issubclass(part, losses.Part)):
            assert allowlist.locate(f"gan_lightning.losses.{name}", "model") is part
