"""One set of fakes for both players of a batch, against a hand-written loop."""

import copy

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits as bce

from gan_lightning.data import Digits
from gan_lightning.models import GAN, MatchingAwareGAN, simultaneous
from gan_lightning.networks import MLPDiscriminator, MLPGenerator
from tests.models.test_gan import SGD, SHAPE, fit, networks, z

QUIET = ("trainer=cpu", "callbacks.progress=null", "callbacks.samples=null", "data.limit=64", "data.batch_size=16")


def plain_loop(batches, n_critic):
    """As in tutorials: the fakes are generated once, with the graph, and detached for D."""
    generator, discriminator = networks()
    d_optimizer, g_optimizer = SGD(discriminator.parameters()), SGD(generator.parameters())
    data = Digits(SHAPE, batch_size=32, seed=5)
    data.setup()
    stream = iter(data.train_dataloader())
    ones, zeros = torch.ones(32), torch.zeros(32)
    for step in range(batches):
        real = next(stream)[0].float() / 127.5 - 1
        updates_generator = (step + 1) % n_critic == 0
        fake = generator(z("generator" if updates_generator else "discriminator", step))
        d_optimizer.zero_grad()
        (bce(discriminator(real), ones) + bce(discriminator(fake.detach()), zeros)).backward()
        d_optimizer.step()
        if updates_generator:
            g_optimizer.zero_grad()
            bce(discriminator(fake), ones).backward()
            g_optimizer.step()
    return generator, discriminator


@pytest.mark.parametrize("n_critic", [1, 3])
def test_against_a_loop_that_detaches(n_critic):
    model = GAN(*networks(), optimizer=SGD, seed=5, n_critic=n_critic, reuse_fake=True)
    calls = []
    model.generator.register_forward_hook(lambda *_: calls.append(1))
    before = copy.deepcopy(model.generator.state_dict())
    fit(model, max_steps=7)
    assert len(calls) == 7
    for network, expected in zip((model.generator, model.discriminator), plain_loop(7, n_critic), strict=True):
        for name, value in expected.state_dict().items():
            torch.testing.assert_close(network.state_dict()[name], value, msg=name)
    assert not torch.equal(model.generator.state_dict()["layers.0.weight"], before["layers.0.weight"])


def test_where_it_cannot_hold_it_is_refused():
    with pytest.raises(ValueError, match=r"model.reuse_fake=True: expected model/phases=alternating"):
        GAN(*networks(), phases=simultaneous, reuse_fake=True)
    with pytest.raises(ValueError, match=r"model.reuse_fake=True: keeps G's activations.*model.accumulate=2"):
        GAN(*networks(), accumulate=2, reuse_fake=True)
    pair = MLPGenerator(6, SHAPE, [8], condition_dim=2), MLPDiscriminator(SHAPE, [8], condition_dim=2)
    with pytest.raises(ValueError, match=r"model.reuse_fake=True: the matching-aware GAN's players"):
        MatchingAwareGAN(*pair, conditional=True, reuse_fake=True)


@pytest.mark.slow
def test_every_other_variant_trains_with_it(train):
    for variant in ("infogan", "began"):
        network = ("network=autoencoder",) if variant == "began" else ()
        run = train(variant, f"model={variant}", *network, "model.reuse_fake=true", "trainer.max_steps=2", *QUIET)
        assert run.code == 0, run.output
