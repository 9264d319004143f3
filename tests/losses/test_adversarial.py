import numpy as np
import pytest
import torch
from torch.autograd import gradcheck

from gan_lightning.losses import adversarial


def logits() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 7, dtype=torch.float64, generator=generator) * 3
    return real.requires_grad_(True), fake.requires_grad_(True)


def test_nonsaturating_is_the_papers_formula():
    real, fake = logits()
    p_real, p_fake = 1 / (1 + torch.exp(-real)), 1 / (1 + torch.exp(-fake))
    d_loss = adversarial.total(adversarial.nonsaturating_discriminator(real, fake))
    torch.testing.assert_close(d_loss, -(p_real.log().mean() + (1 - p_fake).log().mean()))
    torch.testing.assert_close(adversarial.total(adversarial.nonsaturating_generator(fake)), -p_fake.log().mean())


def test_nonsaturating_gradients():
    real, fake = logits()
    assert gradcheck(lambda r, f: adversarial.total(adversarial.nonsaturating_discriminator(r, f)), (real, fake))
    assert gradcheck(lambda f: adversarial.total(adversarial.nonsaturating_generator(f)), (fake,))


def test_sure_discriminators_give_finite_losses():
    sure = torch.tensor([200.0])
    assert adversarial.total(adversarial.nonsaturating_discriminator(-sure, sure)) == 400
    assert adversarial.total(adversarial.nonsaturating_generator(-sure)) == 200


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


FORMULAS = {
    "saturating_generator": lambda f: np.log(1 - sigmoid(f)).mean(),
    "least_squares_discriminator": lambda r, f: ((r - 1) ** 2).mean() / 2 + (f**2).mean() / 2,
    "least_squares_generator": lambda f: ((f - 1) ** 2).mean() / 2,
    "critic": lambda r, f: f.mean() - r.mean(),
    "critics_generator": lambda f: -f.mean(),
    "hinge_discriminator": lambda r, f: np.maximum(0, 1 - r).mean() + np.maximum(0, 1 + f).mean(),
    "relativistic_pairs": lambda r, f: -np.log(sigmoid(r - f)).mean(),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_a_loss_is_the_papers_formula_and_so_is_its_gradient(name):
    loss, formula = getattr(losses, name), FORMULAS[name]
    arguments = logits()[-formula.__code__.co_argcount :]
    value = adversarial.total(loss(*arguments))
    assert value.item() == pytest.approx(formula(*(a.detach().numpy() for a in arguments)), rel=1e-12)
    assert gradcheck(lambda *a: adversarial.total(loss(*a)), arguments)


def test_the_relativistic_average_is_the_papers_formula():
    real, fake = logits()
    r, f = real.detach().numpy(), fake.detach().numpy()
    expected = -np.log(sigmoid(r - f.mean())).mean() - np.log(1 - sigmoid(f - r.mean())).mean()

    def loss(real, fake):
        return adversarial.total(adversarial.relativistic_average(real, fake, real.mean(), fake.mean()))

    assert loss(real, fake).item() == pytest.approx(expected, rel=1e-12)
    assert gradcheck(loss, (real, fake))
