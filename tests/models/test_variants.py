"""The variants against hand-written loops and formulas."""

import copy
from functools import partial

import pytest
import torch
from lightning import LightningDataModule
from scipy.stats import norm
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from gan_lightning import rng
from gan_lightning.data import Digits, Gaussian1D
from gan_lightning.errors import UserError
from gan_lightning.labels import LabelVocabulary
from gan_lightning.models import GAN, DensityMatchingGAN, MatchingAwareGAN, SimultaneousGAN
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from gan_lightning.networks import MLPDiscriminator, MLPGenerator, ScalarDiscriminator, ScalarGenerator
from tests.models.test_gan import SGD, SHAPE, networks, trainer


def stream(data: LightningDataModule):
    data.setup()
    for images, labels in data.train_dataloader():
        yield images.float() / 127.5 - 1, labels


def test_simultaneous_steps_are_taken_from_one_point():
    model = SimultaneousGAN(*networks(), optimizer=SGD, seed=5)
    trainer(6).fit(model, Digits(SHAPE, batch_size=32, seed=5))
    generator, discriminator = networks()
    batches = stream(Digits(SHAPE, batch_size=32, seed=5))
    d_optimizer, g_optimizer = SGD(discriminator.parameters()), SGD(generator.parameters())
    for step in range(6):
        real, _ = next(batches)
        fake = generator(torch.randn(32, 6, generator=rng.generator("latent", "both", 5, step)))
        real_logits, fake_logits = discriminator(real), discriminator(fake)
        ones, zeros = torch.ones(32), torch.zeros(32)
        d_loss = bce(real_logits, ones) + bce(fake_logits, zeros)
        d_gradients = torch.autograd.grad(d_loss, list(discriminator.parameters()), retain_graph=True)
        g_gradients = torch.autograd.grad(bce(fake_logits, ones), list(generator.parameters()))
        for network, gradients in ((discriminator, d_gradients), (generator, g_gradients)):
            for parameter, gradient in zip(network.parameters(), gradients, strict=True):
                parameter.grad = gradient
        d_optimizer.step()
        g_optimizer.step()
    for got, expected in ((model.generator, generator), (model.discriminator, discriminator)):
        for name, value in expected.state_dict().items():
            torch.testing.assert_close(got.state_dict()[name], value)


def test_alternating_steps_are_not_simultaneous_ones():
    weights = []
    for kind in (GAN, SimultaneousGAN):
        model = kind(*networks(), optimizer=SGD, seed=5)
        trainer(3).fit(model, Digits(SHAPE, batch_size=32, seed=5))
        weights.append(model.generator.state_dict())
    assert any(not torch.allclose(weights[0][name], weights[1][name]) for name in weights[0])


def conditional_networks():
    torch.manual_seed(0)
    return MLPGenerator(6, SHAPE, [16], False, condition_dim=10), MLPDiscriminator(SHAPE, [16], condition_dim=10)


def test_a_conditional_model_takes_its_vocabulary_from_the_data_and_tells_both_networks():
    model = GAN(*conditional_networks(), optimizer=SGD, conditional=True)
    trainer(3).fit(model, Digits(SHAPE, batch_size=32))
    assert model.vocabulary.names == tuple("0123456789")
    threes = model.sample(4, label=3)
    assert torch.equal(threes, model.sample(4, label="3"))
    assert not torch.allclose(threes, model.sample(4))


def test_conditions_of_samples_occur_as_in_the_data():
    model = GAN(*conditional_networks(), conditional=True)
    model.vocabulary = LabelVocabulary.of_labels("ab", torch.tensor([[1, 0]] * 90 + [[0, 1]] * 10))
    labels = model.fixed_conditions(5000, seed=1)
    assert labels[:, 1].mean().item() == pytest.approx(0.1, abs=0.02)
    assert torch.equal(model.fixed_conditions(70, seed=1), labels[:70])


@pytest.mark.parametrize("mismatch", ["real", "fake"])
def test_matching_aware_is_reeds_algorithm(mismatch):
    model = MatchingAwareGAN(*conditional_networks(), mismatch=mismatch, conditional=True, seed=3)
    model.vocabulary = LabelVocabulary.of_labels("0123456789", torch.eye(10))
    generator, discriminator = model.generator, model.discriminator
    real, condition = torch.randn(16, *SHAPE), torch.eye(10)[torch.arange(16) % 10]
    condition[12:] = 0  # not labeled

    def others(purpose):
        generator = rng.generator("conditions", purpose, 3, 0)
        return torch.eye(10)[torch.multinomial(torch.ones(10), 16, True, generator=generator)]

    def z(purpose):
        return torch.randn(16, 6, generator=rng.generator("latent", purpose, 3, 0))

    asked = torch.cat([condition[:12], others("asked")[12:]])
    wrong = others("wrong")
    fake = generator(z("discriminator"), asked)
    expected_real = -torch.log(discriminator(real, condition).sigmoid()).mean()
    expected_fake = -torch.log(1 - discriminator(fake, condition).sigmoid()).mean() / 2
    if mismatch == "real":
        logits = discriminator(real, wrong)
    else:
        logits = discriminator(generator(z("wrong"), wrong), condition)
    pairs = [-torch.log(1 - logits[i].sigmoid()) for i in range(12) if not torch.equal(wrong[i], condition[i])]
    draws = Draws(3, 0, torch.device("cpu"))
    terms = model.losses(("discriminator",), Batch(real, condition), draws)["terms"]["discriminator"]
    torch.testing.assert_close(terms["real"], expected_real)
    torch.testing.assert_close(terms["fake"], expected_fake)
    torch.testing.assert_close(terms["mismatch"], sum(pairs) / 16 / 2)
    logits = discriminator(generator(z("generator"), asked), asked)
    terms = model.losses(("generator",), Batch(real, condition), draws)["terms"]["generator"]
    torch.testing.assert_close(terms["fake"], -torch.log(logits.sigmoid()).mean())


def density_model(**changes):
    torch.manual_seed(1)
    schedule = partial(torch.optim.lr_scheduler.StepLR, step_size=4, gamma=0.5)
    arguments = {"mean": 4.0, "std": 0.5, "scheduler": schedule, "optimizer": partial(torch.optim.SGD, lr=0.05)}
    return DensityMatchingGAN(ScalarGenerator(), ScalarDiscriminator(), **(arguments | changes))


def test_the_density_is_scipys():
    x = torch.linspace(-8, 8, 101, dtype=torch.float64)
    expected = torch.from_numpy(norm.pdf(x.numpy(), 4.0, 0.5))
    torch.testing.assert_close(density_model().density(x), expected)


def test_latents_stratify_the_interval():
    z = density_model().sample_prior(12, rng.generator("z")).squeeze(1)
    jitter = z - torch.linspace(-8, 8, 12)
    assert (jitter >= -1e-6).all()
    assert (jitter < 0.01).all()
    assert len(jitter.unique()) > 1


def test_pretraining_fits_the_discriminator_to_the_density():
    x = torch.linspace(-5, 5, 200)
    errors = []
    for steps in (0, 500):
        model = density_model(pretrain_steps=steps, scheduler=None)
        before = copy.deepcopy(model.generator.state_dict())
        model.fitted = None
        model.on_train_batch_start = lambda *_, model=model: setattr(
            model, "fitted", copy.deepcopy(model.discriminator).requires_grad_(False)
        )
        trainer(1).fit(model, Gaussian1D())
        errors.append((model.fitted(x.unsqueeze(1)).sigmoid() - model.density(x)).square().mean().item())
        assert before.keys() == model.generator.state_dict().keys()
    assert errors[1] < errors[0] / 4


def test_the_staircase_advances_every_batch():
    model = density_model(pretrain_steps=0, n_critic=2)
    runner = trainer(9)
    runner.fit(model, Gaussian1D())
    assert [group["lr"] for o in runner.optimizers for group in o.param_groups] == [0.05 / 4] * 2


def test_the_first_samples_come_from_all_over_the_interval():
    z = density_model().fixed_z(64, seed=0)
    assert z.min() < -6
    assert z.max() > 6
    assert torch.equal(density_model().fixed_z(5, seed=0), z[:5])
    whole = density_model().fixed_z(10_000, seed=0).squeeze(1).sort().values
    torch.testing.assert_close(whole, torch.linspace(-8, 8, 10_000), atol=0.011, rtol=0)


def test_matching_needs_labels():
    with pytest.raises(ValueError, match=r"model\.conditional=false: the matching-aware GAN needs labels"):
        MatchingAwareGAN(*networks())


def test_players_that_step_together_refuse_a_scale_that_changes_between_them():
    model = SimultaneousGAN(*networks(), optimizer=SGD)
    model.trainer = type("Half", (), {"precision": "16-mixed"})
    with pytest.raises(UserError, match=r"trainer\.precision=16-mixed: .*bf16-mixed or 32-true"):
        model.setup("fit")


def test_a_checkpoint_with_other_labels_is_refused():
    model = GAN(*conditional_networks(), conditional=True)
    model.vocabulary = LabelVocabulary.of_labels("ab", torch.eye(2))
    model.on_load_checkpoint({"vocabulary": {"names": ["a", "b"]}})
    with pytest.raises(UserError, match=r"data\.root: its labels are .*'a', 'b'.*; expected .*'b', 'a'"):
        model.on_load_checkpoint({"vocabulary": {"names": ["b", "a"]}})
