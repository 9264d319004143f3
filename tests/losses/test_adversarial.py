"""Every adversarial loss against its paper's formula in numpy, and its gradient against finite differences."""

import inspect

import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from gan_lightning import losses
from gan_lightning.losses import AdversarialLoss, Minimax, NonSaturating
from gan_lightning.losses.adversarial import RelativisticLoss
from gan_lightning.losses.terms import join, total
from gan_lightning.losses.terms import means as mean_terms


def logits() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 7, dtype=torch.float64, generator=generator) * 3
    return real.requires_grad_(True), fake.requires_grad_(True)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def non_saturating(r, f):
    return -np.log(sigmoid(r)).mean() - np.log(1 - sigmoid(f)).mean()


FORMULAS = {
    "NonSaturating": (non_saturating, lambda r, f: -np.log(sigmoid(f)).mean()),
    "Minimax": (non_saturating, lambda r, f: np.log(1 - sigmoid(f)).mean()),
    "LeastSquares": (
        lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2,
        lambda r, f: ((f - 1) ** 2).mean() / 2,
    ),
    "Wasserstein": (lambda r, f: f.mean() - r.mean(), lambda r, f: -f.mean()),
    "Hinge": (
        lambda r, f: np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(),
        lambda r, f: -f.mean(),
    ),
    "RelativisticAverage": (
        lambda r, f: -np.log(sigmoid(r - f.mean())).mean() - np.log(1 - sigmoid(f - r.mean())).mean(),
        lambda r, f: -np.log(sigmoid(f - r.mean())).mean() - np.log(1 - sigmoid(r - f.mean())).mean(),
    ),
    "RelativisticPairs": (
        lambda r, f: -np.log(sigmoid(r - f)).mean(),
        lambda r, f: -np.log(sigmoid(f - r)).mean(),
    ),
    "TopK": (non_saturating, lambda r, f: -np.log(sigmoid(np.sort(f)[-4:])).mean()),
    "BoundaryEquilibrium": (lambda r, f: -r.mean() + 0.3 * f.mean(), lambda r, f: -f.mean()),
}
"""D's and G's objectives, of real and fake logits; BEGAN's k is 0.3, and 4 of 7 are top-k's."""
EVERY_LOSS = pytest.mark.parametrize("name", FORMULAS)


def build(name: str) -> AdversarialLoss:
    arguments = (NonSaturating(), 4 / 7) if name == "TopK" else ()
    loss = getattr(losses, name)(*arguments).double()
    if name == "BoundaryEquilibrium":
        loss.k.fill_(0.3)
    return loss


def both_players(loss: AdversarialLoss, real: torch.Tensor, fake: torch.Tensor) -> list[torch.Tensor]:
    terms = loss.discriminator(real, fake), loss.generator(fake, real if loss.relativistic else None)
    return [total(mean_terms(found)) for found in terms]


def test_no_loss_is_left_out():
    exported = {name for name in losses.__all__ if inspect.isclass(getattr(losses, name))}
    assert {n for n in exported if issubclass(getattr(losses, n), AdversarialLoss)} == {*FORMULAS, "AdversarialLoss"}


@EVERY_LOSS
def test_both_players_minimize_the_papers_formulas(name):
    real, fake = logits()
    values = [value.item() for value in both_players(build(name), real, fake)]
    expected = [formula(real.detach().numpy(), fake.detach().numpy()) for formula in FORMULAS[name]]
    assert values == pytest.approx(expected, rel=1e-12)


@EVERY_LOSS
def test_gradients_are_those_of_finite_differences(name):
    assert gradcheck(lambda *logits: tuple(both_players(build(name), *logits)), logits())


@EVERY_LOSS
@pytest.mark.parametrize("sure", [200.0, -200.0])
def test_a_sure_discriminator_gives_finite_losses_and_gradients(name, sure):
    """In float32, where sigmoid(-200) is 0 and sigmoid(200) is 1."""
    real, fake = (torch.full((3,), value, requires_grad=True) for value in (sure, -sure))
    for value in both_players(build(name).float(), real, fake):
        gradients = torch.autograd.grad(value, (real, fake), allow_unused=True, retain_graph=True)
        assert value.isfinite()
        assert all(gradient.isfinite().all() for gradient in gradients if gradient is not None)


@pytest.mark.parametrize("kind", [NonSaturating, Minimax])
def test_a_label_below_one_is_the_target_of_real_samples(kind):
    real, fake = logits()
    found, whole = (kind(*label).discriminator(real, fake) for label in ((0.9,), ()))
    target = torch.full_like(real, 0.9)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(real, target, reduction="none")
    torch.testing.assert_close(found["real"], expected)
    assert torch.equal(found["fake"], whole["fake"])
    assert torch.equal(kind(0.9).generator(fake)["fake"], kind().generator(fake)["fake"])


def test_what_a_wrong_discriminator_pays():
    sure = torch.tensor([200.0])
    d_loss, g_loss = both_players(losses.NonSaturating(), -sure, sure)
    assert (d_loss.item(), g_loss.item()) == (400, 0)
    assert both_players(losses.NonSaturating(), sure, -sure)[1].item() == 200


@EVERY_LOSS
def test_a_loss_says_truly_what_it_looks_at(name):
    """`separable`: the terms real and fake look at their logits alone. `relativistic`: G's loss looks at real ones."""
    loss, (real, fake) = build(name), logits()
    terms = loss.discriminator(real, fake)
    if loss.separable:
        others = loss.discriminator(real + 1, fake), loss.discriminator(real, fake + 1)
        assert torch.equal(others[0]["fake"], terms["fake"])
        assert torch.equal(others[1]["real"], terms["real"])
        assert terms["fake"].shape == fake.shape
    assert loss.relativistic == isinstance(loss, RelativisticLoss)
    value = total(mean_terms(loss.generator(fake, real)))
    (slope,) = torch.autograd.grad(value, real, allow_unused=True)
    assert (slope is not None) == loss.relativistic


def test_two_terms_of_one_name_are_refused():
    one = torch.zeros(())
    assert list(join({"real": one}, {"r1": one})) == ["real", "r1"]
    with pytest.raises(ValueError, match="two parts of a player's loss are named real; rename"):
        join({"real": one, "fake": one}, {"real": one})
