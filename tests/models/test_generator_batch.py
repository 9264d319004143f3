"""G's batch apart from D's: another number of fakes, and real samples of its own, against hand-written loops."""

from functools import partial

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce
from torch.nn.functional import one_hot, softplus

from gan_lightning import rng
from gan_lightning.data import Digits, Gaussians2D
from gan_lightning.errors import UserError
from gan_lightning.losses import RelativisticAverage
from gan_lightning.models import GAN, R3GAN, simultaneous
from gan_lightning.networks import MLPDiscriminator, MLPGenerator
from tests.conftest import TINY, refusal, training_differences
from tests.models.composed import composed
from tests.models.test_gan import SGD, SHAPE, networks, trainer

FAKES, OWN = 48, 16
"""G's batches, where D's is 32."""


def z(purpose, step, count):
    return torch.randn(count, 6, generator=rng.generator("latent", purpose, 5, step))


def scaled(images):
    return images.float() / 127.5 - 1


def digits(**more):
    return Digits(SHAPE, batch_size=32, seed=5, **more)


def batches(**more):
    """The batches of a run, from its first on."""
    data = digits(**more)
    data.setup()
    return iter(data.train_dataloader())


def step_by(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def assert_same_weights(model, *expected):
    for network, other in zip((model.generator, model.discriminator), expected, strict=True):
        for weight, value in zip(network.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(weight, value, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("micro_batches", [1, 2])
def test_more_fakes_in_the_phase_of_g(micro_batches):
    sizes = {"n_critic": 3, "generator_batch_size": FAKES, "accumulate": micro_batches}
    model = GAN(*networks(batch_norm=False), optimizer=SGD, seed=5, **sizes)
    trainer(7).fit(model, digits())
    generator, discriminator = networks(batch_norm=False)
    d_optimizer, g_optimizer = SGD(discriminator.parameters()), SGD(generator.parameters())
    for step, (images, _) in zip(range(7), batches(), strict=False):
        real, fake = discriminator(scaled(images)), discriminator(generator(z("discriminator", step, 32)).detach())
        step_by(d_optimizer, bce(real, torch.ones(32)) + bce(fake, torch.zeros(32)))
        if (step + 1) % 3 == 0:
            fake = discriminator(generator(z("generator", step, FAKES)))
            step_by(g_optimizer, bce(fake, torch.ones(FAKES)))
    assert_same_weights(model, generator, discriminator)


@pytest.mark.parametrize("own", [32, OWN])
def test_r3gan_compares_with_real_samples_of_g_s_own(own):
    """R3GAN: Huang et al. 2024, eq. 2, without its penalties, with two real batches a step as in the authors' loop."""
    model = R3GAN(*networks(batch_norm=False), optimizer=SGD, seed=5)
    trainer(7).fit(model, digits(generator_real_batch_size=own))
    generator, discriminator = networks(batch_norm=False)
    d_optimizer, g_optimizer = SGD(discriminator.parameters()), SGD(generator.parameters())
    for step, (images, _, own_images, _) in zip(range(7), batches(generator_real_batch_size=own), strict=False):
        fake = generator(z("discriminator", step, 32)).detach()
        step_by(d_optimizer, softplus(discriminator(fake) - discriminator(scaled(images))).mean())
        fake = generator(z("generator", step, own))
        step_by(g_optimizer, softplus(discriminator(scaled(own_images)) - discriminator(fake)).mean())
    assert_same_weights(model, generator, discriminator)


class Seen(MLPGenerator):
    """Keeps the conditions that it is given."""

    def forward(self, z, condition=None):
        self.conditions = condition
        return super().forward(z, condition)


def conditional(kind, **more):
    return kind(Seen(6, SHAPE, [8], condition_dim=10), MLPDiscriminator(SHAPE, [8], condition_dim=10), **more)


def test_the_labels_of_more_fakes_are_sampled_and_those_of_own_real_samples_are_theirs():
    model = conditional(GAN, conditional=True, seed=5, generator_batch_size=FAKES)
    data = digits()
    trainer(2).fit(model, data)
    sampled = data.vocabulary.sample(FAKES, rng.generator("conditions", "generator", 5, 1))
    assert torch.equal(model.generator.conditions, sampled)

    model = conditional(R3GAN, conditional=True, seed=5)
    trainer(2).fit(model, digits(generator_real_batch_size=OWN))
    _, (*_, labels), *_ = batches(generator_real_batch_size=OWN)
    assert torch.equal(model.generator.conditions, one_hot(labels, 10).float())


def test_where_g_has_no_such_phase_it_is_refused():
    fakes = partial(GAN, *networks(), generator_batch_size=FAKES)
    with pytest.raises(UserError, match=r"model.generator_batch_size=48: G has no phase of its own"):
        fakes(phases=simultaneous)
    with pytest.raises(UserError, match=r"model.generator_batch_size=48: with model.reuse_fake=True"):
        fakes(reuse_fake=True)
    with pytest.raises(UserError, match=r"RelativisticAverage compares each fake .* data.generator_real_batch_size"):
        fakes(loss=RelativisticAverage())
    with pytest.raises(UserError, match=r"model.generator_batch_size=48: expected a multiple of 5, .*model.accumulate"):
        trainer(1).fit(fakes(accumulate=5), Digits(SHAPE, batch_size=40))


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (GAN, "under NonSaturating G sees no real samples; set it to null"),
        (partial(R3GAN, phases=simultaneous), "G has no phase of its own"),
        (partial(R3GAN, reuse_fake=True), "with model.reuse_fake=True both players get the same fakes"),
    ],
)
def test_real_samples_that_g_does_not_see_are_refused(kind, message):
    with pytest.raises(UserError, match=rf"data.generator_real_batch_size=16: {message}"):
        trainer(1).fit(kind(*networks()), digits(generator_real_batch_size=OWN))


def test_batches_that_cannot_be_shared_are_refused_before_data_are_loaded():
    two = ("trainer=cpu", "trainer.devices=2", "data.batch_size=32")
    assert "model.generator_batch_size=33: expected a multiple of the number of processes, 2" in refusal(
        *two, "model.generator_batch_size=33"
    )
    assert "data.generator_real_batch_size=33: expected a multiple of the number of processes, 2" in refusal(
        *two, "data.generator_real_batch_size=33"
    )
    assert "model.accumulate=4: expected a divisor of a process's part of the batch, 3; change it, or model.gen" in (
        refusal(*two, "model.generator_batch_size=6", "model.accumulate=4")
    )


def test_recipes_have_the_batches_of_their_authors():
    for variant in ("sngan", "projection"):
        config = composed(f"model={variant}", "data.batch_size=16")
        assert config["model"]["generator_batch_size"] == 32
    assert composed("model=r3gan", "data.batch_size=16")["data"]["generator_real_batch_size"] == 16
    assert composed("model=r3gan", "data=gaussians_2d")["data"]["generator_real_batch_size"] == 512
    assert composed()["data"]["generator_real_batch_size"] is None


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["projection", "r3gan"])
def test_a_resumed_run_goes_on_exactly(train, variant):
    """From the middle of an epoch of 10 batches, whichever has G's part."""
    samples = 640 if variant == "r3gan" else 320
    options = (*TINY, f"model={variant}", "model.n_critic=1", f"data.limit={samples}", "trainer.max_steps=14")
    if variant == "projection":  # its learning rate goes by the share of a run, which has 6 steps and then 14
        players = ("generator", "discriminator")
        options += tuple(f"model.schedules.{player}_optimizer.lr=null" for player in players)
    whole = train("whole", *options)
    assert whole.code == 0, whole.output
    assert whole.summary["images_seen"] == 14 * 32
    assert whole.checkpoint["epoch"] == 1
    part = train("part", *options, "trainer.max_steps=6")
    resumed = train("part", f"resume={part.folder}", "trainer.max_steps=14")
    assert resumed.code == 0, resumed.output
    assert training_differences(resumed, whole) == []


def test_synthetic_data_have_samples_for_g():
    model = R3GAN(MLPGenerator(2, [2], [8]), MLPDiscriminator([2], [8]), optimizer=SGD)
    runner = trainer(3)
    runner.fit(model, Gaussians2D(batch_size=16, generator_real_batch_size=8))
    assert runner.global_step == 3
