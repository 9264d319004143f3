"""Adversarial losses: each has a function of the logits for D, and one for G.

A logit is D's output before the sigmoid: D(x) = sigmoid(logit), so -log D = softplus(-logit) and
-log(1 - D) = softplus(logit), exact where the sigmoid itself would round to 0 or 1.
"""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import relu, softplus

from gan_lightning.distributed.collectives import all_reduce_mean
from gan_lightning.losses.terms import Part, Terms

Logits = Float[Tensor, " batch"]


class AdversarialLoss(Part):
    """The base of adversarial losses. A loss of your own inherits this class and defines the two methods.

    Both methods return named terms: a value for every sample, or a scalar. The step takes their means and minimizes
    their sum; the names are what is logged.
    """

    relativistic: ClassVar[bool] = False
    """Whether G's loss uses real logits. Otherwise it may get None, which saves a forward pass of D."""
    separable: ClassVar[bool] = True
    """Whether D's loss has a term `real` of the real logits alone and a term `fake` of the fake logits alone."""
    logits_have_a_sign: ClassVar[bool] = True
    """Whether a logit above 0 means that D classifies a sample as real."""
    needs_reconstruction: ClassVar[bool] = False
    """Whether a logit has to be a negative reconstruction error, so that D must be an autoencoder."""

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Terms:
        """Returns the terms that D minimizes, from logits (batch,)."""
        raise NotImplementedError

    def generator(self, fake_logits: Logits, real_logits: Logits | None) -> Terms:
        """Returns the terms that G minimizes, from logits (batch,)."""
        raise NotImplementedError


class NonSaturating(AdversarialLoss):
    """The non-saturating loss.

        D minimizes  -E_x log D(x) - E_z log(1 - D(G(z)))
        G minimizes  -E_z log D(G(z))

    Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1 for D, section 3, last paragraph, for G.

    Args:
        real_label: The label a of real samples: D's term of them is -E_x [a log D(x) + (1 - a) log(1 - D(x))]. Below 1
            it is one-sided label smoothing, Salimans et al. 2016 (arXiv:1606.03498), section 3.4.
    """

    def __init__(self, real_label: float = 1.0) -> None:
        super().__init__()
        self.real_label = real_label

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Terms:
        real = softplus(-real_logits)
        if self.real_label != 1:
            real = real + (1 - self.real_label) * real_logits
        return {"real": real, "fake": softplus(fake_logits)}

    def generator(self, fake_logits: Logits, real_logits: Logits | None = None) -> Terms:
        return {"fake": softplus(-fake_logits)}


class Minimax(NonSaturating):
    """The minimax loss.

        D maximizes, G minimizes  E_x log D(x) + E_z log(1 - D(G(z)))

    Goodfellow et al. 2014 (arXiv:1406.2661), eq. 1. Where D(G(z)) is near 0, G has no gradient.

    Args:
        real_label: As of `NonSaturating`.
    """

    def generator(self, fake_logits: Logits, real_logits: Logits | None = None) -> Terms:
        return {"fake": -softplus(fake_logits)}


class LeastSquares(AdversarialLoss):
    """The least-squares loss.

        D minimizes  1/2 E_x (D(x) - 1)^2 + 1/2 E_z D(G(z))^2
        G minimizes  1/2 E_z (D(G(z)) - 1)^2

    Mao et al. 2017 (arXiv:1611.04076), eq. 9; D is the logit itself.
    """

    logits_have_a_sign = False

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Terms:
        return {"real": (real_logits - 1).square() / 2, "fake": fake_logits.square() / 2}

    def generator(self, fake_logits: Logits, real_logits: Logits | None = None) -> Terms:
        return {"fake": (fake_logits - 1).square() / 2}


class Wasserstein(AdversarialLoss):
    """Arjovsky et al. 2017 (arXiv:1701.07875), eq. 3 and algorithm 1; D is the logit itself.

        D minimizes  E_z D(G(z)) - E_x D(x)
        G minimizes  -E_z D(G(z))

    D has to be Lipschitz: choose a penalty, weight clipping, or spectral normalization.
    """

    logits_have_a_sign = False

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Terms:
        return {"real": -real_logits, "fake": fake_logits}

    def generator(self, fake_logits: Logits, real_logits: Logits | None = None) -> Terms:
        return {"fake": -fake_logits}


class Hinge(AdversarialLoss):
    """The hinge loss.

        D minimizes  E_x max(0, 1 - D(x)) + E_z max(0, 1 + D(G(z)))
        G minimizes  -E_z D(G(z))

    Lim & Ye 2017 (arXiv:1705.02894), section 4; Miyato et al. 2018 (arXiv:1802.05957), eqs. 16 and 17.
    """

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Terms:
        return {"real": relu(1 - real_logits), "fake": relu(1 + fake_logits)}

    def generator(self, fake_logits: Logits, real_logits: Logits | None = None) -> Terms:
        return {"fake": -fake_logits}


class RelativisticLoss(AdversarialLoss):
    """A loss that compares real with fake logits, in both players' objectives."""

    relativistic = True
    separable = False
    logits_have_a_sign = False


class RelativisticAverage(RelativisticLoss):
    """RaSGAN: Jolicoeur-Martineau 2018 (arXiv:1807.00734), section 4.2, with C the logits and s the sigmoid.

        D minimizes  -E_x log s(C(x) - E_z C(G(z))) - E_z log(1 - s(C(G(z)) - E_x C(x)))
        G minimizes  -E_z log s(C(G(z)) - E_x C(x)) - E_x log(1 - s(C(x) - E_z C(G(z))))

    The inner means are over the whole batch of all processes. The author's code minimizes half of these sums.
    """

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Terms:
        mean_real, mean_fake = all_reduce_mean(real_logits.mean()), all_reduce_mean(fake_logits.mean())
        return {"real": softplus(mean_fake - real_logits), "fake": softplus(fake_logits - mean_real)}

    def generator(self, fake_logits: Logits, real_logits: Logits | None) -> Terms:
        assert real_logits is not None
        mean_fake, mean_real = all_reduce_mean(fake_logits.mean()), all_reduce_mean(real_logits.mean())
        return {"fake": softplus(mean_real - fake_logits), "real": softplus(real_logits - mean_fake)}


class RelativisticPairs(RelativisticLoss):
    """RpGAN, with C the logits.

        D minimizes  E log(1 + exp(C(G(z)) - C(x)))
        G minimizes  E log(1 + exp(C(x) - C(G(z))))

    Jolicoeur-Martineau 2018 (arXiv:1807.00734), section 4.1; Huang et al. 2024 (arXiv:2501.05441), eq. 2.
    """

    def discriminator(self, real_logits: Logits, fake_logits: Logits) -> Terms:
        return {"pairs": softplus(fake_logits - real_logits)}

    def generator(self, fake_logits: Logits, real_logits: Logits | None) -> Terms:
        assert real_logits is not None
        return {"pairs": softplus(real_logits - fake_logits)}
