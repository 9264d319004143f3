import torch
from torch.autograd import gradcheck

from gan_lightning import losses


def logits() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 7, dtype=torch.float64, generator=generator) * 3
    return real.requires_grad_(True), fake.requires_grad_(True)


def test_nonsaturating_is_the_papers_formula():
    real, fake = logits()
    p_real, p_fake = 1 / (1 + torch.exp(-real)), 1 / (1 + torch.exp(-fake))
    d_loss = losses.total(losses.nonsaturating_discriminator(real, fake))
    torch.testing.assert_close(d_loss, -(p_real.log().mean() + (1 - p_fake).log().mean()))
    torch.testing.assert_close(losses.total(losses.nonsaturating_generator(fake)), -p_fake.log().mean())


def test_nonsaturating_gradients():
    real, fake = logits()
    assert gradcheck(lambda r, f: losses.total(losses.nonsaturating_discriminator(r, f)), (real, fake))
    assert gradcheck(lambda f: losses.total(losses.nonsaturating_generator(f)), (fake,))


def test_sure_discriminators_give_finite_losses():
    sure = torch.tensor([200.0])
    assert losses.total(losses.nonsaturating_discriminator(-sure, sure)) == 400
    assert losses.total(losses.nonsaturating_generator(-sure)) == 200
