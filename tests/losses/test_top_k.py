"""Top-k: G learns from its best samples alone, and D from all."""

import pytest
import torch

from gan_lightning.losses import BoundaryEquilibrium, Hinge, NonSaturating, RelativisticPairs, TopK
from gan_lightning.losses.terms import means, total

LOGITS = torch.tensor([0.5, -1.0, 2.0, 1.0])


@pytest.mark.parametrize(("share", "best"), [(1.0, [0, 1, 2, 3]), (0.5, [2, 3]), (0.7, [0, 2, 3]), (0.01, [2])])
def test_the_generators_loss_is_the_mean_over_the_best(share, best):
    logits = LOGITS.clone().requires_grad_()
    value = total(means(TopK(NonSaturating(), share).generator(logits)))
    expected = NonSaturating().generator(logits[best])["fake"].mean()
    torch.testing.assert_close(value, expected)
    ours, theirs = (torch.autograd.grad(each, logits)[0] for each in (value, expected))
    torch.testing.assert_close(ours, theirs)


def test_samples_that_tie_count_alike():
    logits = torch.tensor([1.0, 3.0, 1.0, 0.0])
    assert total(means(TopK(Hinge(), 0.5).generator(logits))).item() == pytest.approx(-5 / 3)


def test_the_discriminator_has_the_loss_itself():
    found, expected = (each.discriminator(LOGITS, LOGITS + 1) for each in (TopK(Hinge(), 0.5), Hinge()))
    assert all(torch.equal(found[name], expected[name]) for name in expected)


@pytest.mark.parametrize("loss", [RelativisticPairs, BoundaryEquilibrium])
def test_losses_of_pairs_are_refused(loss):
    with pytest.raises(ValueError, match=rf"model.loss.loss: {loss.__name__} has no term of each generated sample"):
        TopK(loss())
