"""Phases of a batch against loops that count."""

import pytest

from gan_lightning.models import GAN, alternating, critic_warmup
from tests.models.test_gan import networks


def loop(batches, n_critic, critic_steps, first, every):
    """The authors' loop: how many updates of D come before the next of G depends on G's updates so far."""
    updates, done = 0, 0
    for _ in range(batches):
        done += 1
        due = done == (critic_steps if updates < first or updates % every == 0 else n_critic)
        yield due
        if due:
            updates, done = updates + 1, 0


@pytest.mark.parametrize("values", [(2, 7, 3, 5), (1, 4, 0, 3), (3, 3, 10, 10), (5, 2, 4, 6)])
def test_critic_warmup_is_the_authors_loop(values):
    n_critic, *rest = values
    found = [("generator",) in critic_warmup(index, n_critic, *rest) for index in range(300)]
    assert found == list(loop(300, *values))
    assert all(critic_warmup(index, n_critic, *rest)[0] == ("discriminator",) for index in range(20))


@pytest.mark.parametrize("batches", [range(80, 120), range(2480, 2520), range(4870, 4980)])
def test_critic_warmup_is_the_authors_loop_with_their_numbers(batches):
    """Around the first update, the last of the first 25, and update 500, which comes 100 batches later."""
    expected = list(loop(6000, 5, 100, 25, 500))
    assert [("generator",) in critic_warmup(index, 5) for index in batches] == [expected[index] for index in batches]
    assert any(expected[index] for index in batches)


def test_critic_warmup_without_longer_phases_is_alternating():
    assert [critic_warmup(i, 5, critic_steps=5) for i in range(50)] == [alternating(i, 5) for i in range(50)]


@pytest.mark.parametrize("option", [{"generator_batch_size": 48}, {"reuse_fake": True}])
def test_what_needs_a_phase_of_g_alone_takes_critic_warmup(option):
    """Its first update of G comes after 100 batches, not after n_critic."""
    GAN(*networks(), phases=critic_warmup, n_critic=5, **option)
