"""GANs with a second head on D's features."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, gaussian_nll_loss

from gan_lightning.errors import UserError
from gan_lightning.losses.adversarial import Terms
from gan_lightning.models.gan import GAN, widened
from gan_lightning.models.step import Player


class TwoHeadedGAN(GAN):
    """The step of a GAN whose D has a linear `head` beside the logit, which moves with D."""

    head: nn.Linear

    def add_head(self, outputs: int) -> None:
        """Makes the head."""
        if not hasattr(self.discriminator, "features"):
            raise ValueError(
                f"network.discriminator: {type(self.discriminator).__name__} has no features for a second head; choose "
                "another network="
            )
        self.head = nn.Linear(self.discriminator.width, outputs)  # type: ignore[arg-type]

    def networks(self) -> dict[Player, nn.Module]:
        return {"discriminator": nn.ModuleList([self.discriminator, self.head]), "generator": self.generator}

    def both(self, samples: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """D's logits in training, and what the second head says of the same features."""
        features = self.discriminator.features(self.seen(samples), condition)  # type: ignore[operator]
        logits = self.discriminator.head(features, condition)  # type: ignore[operator]
        return widened(logits), widened(self.head(features))


class ACGAN(TwoHeadedGAN):
    """Auxiliary-classifier GAN: Odena et al. 2017 (arXiv:1610.09585), eqs. 2 and 3. D does not see the class.

        L_S = E log P(S = real | x) + E log P(S = fake | G(z, c)),   L_C = E log P(C = c | x) + E log P(C = c | G(z, c))
        D maximizes L_C + L_S,  G maximizes L_C - L_S  (here: the non-saturating form)

    Samples without a class do not enter L_C.

    Args:
        classes: their number.
        class_weight: of L_C.
    """

    def __init__(self, *arguments: Any, classes: int, class_weight: float = 1.0, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self.add_head(classes)
        self.class_weight = class_weight
        if not self.conditional:
            raise ValueError("model.conditional=false: AC-GAN needs classes; expected true")

    def setup(self, stage: str) -> None:
        super().setup(stage)
        assert self.conditions is not None
        if (self.conditions.examples.sum(1) > 1).any():
            raise UserError("data: its samples have several tags each; AC-GAN needs classes. Choose another data=")

    def discriminator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        with torch.no_grad():
            fake = self.generator(self.latent(len(real), "discriminator"), condition)
        real_logits, real_classes = self.both(real, None)
        fake_logits, fake_classes = self.both(fake, None)
        return {
            **self.verdict(real_logits, fake_logits),
            **self.penalized(real, fake, None),
            "class_real": self._class_loss(real_classes, condition),
            "class_fake": self._class_loss(fake_classes, condition),
        }

    def generator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        fake = self.generator(self.latent(len(real), "generator"), condition)
        logits, classes = self.both(fake, None)
        return self.generator_loss(logits) | {"class": self._class_loss(classes, condition)}

    def _class_loss(self, class_logits: Tensor, condition: Tensor | None) -> Tensor:
        assert condition is not None
        # A row of zeros, where there is no class, gives a loss of 0.
        return self.class_weight * cross_entropy(class_logits, condition)


class InfoGAN(TwoHeadedGAN):
    """InfoGAN: Chen et al. 2016 (arXiv:1606.03657), eqs. 5 and 6.

        min over G, Q max over D  V(D, G) - weight * L_I(G, Q),   L_I = E log Q(c | G(z, c)) + H(c)

    The last entries of the latent are the code c: one-hot, then uniform in [-1, 1], for which Q is a normal
    distribution. Q shares all but its head with D, and both players raise L_I, as in the authors' code.

    Args:
        categories: of the one-hot code; 0: none.
        continuous: number of uniform codes.
        info_weight: the paper's lambda.
    """

    def __init__(
        self, *arguments: Any, categories: int = 10, continuous: int = 2, info_weight: float = 1.0, **more: Any
    ) -> None:
        super().__init__(*arguments, **more)
        self.add_head(categories + 2 * continuous)
        self.categories = categories
        self.continuous = continuous
        self.info_weight = info_weight
        if categories + continuous >= self.latent_dim:
            raise ValueError(
                f"network.generator.latent_dim={self.latent_dim}: expected more than model.categories + "
                f"model.continuous = {categories + continuous}, which are part of it"
            )

    def prior(self, count: int, generator: torch.Generator) -> Tensor:
        noise = super().prior(count, generator)
        codes = torch.rand(count, 1 + self.continuous, generator=generator, device=generator.device)
        noise[:, self.latent_dim - self.continuous :] = 2 * codes[:, 1:] - 1
        if self.categories:
            one_hot = torch.eye(self.categories, device=generator.device)[(codes[:, 0] * self.categories).long()]
            noise[:, self._categorical] = one_hot
        return noise

    @property
    def _categorical(self) -> slice:
        end = self.latent_dim - self.continuous
        return slice(end - self.categories, end)

    def discriminator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        z = self.latent(len(real), "discriminator")
        with torch.no_grad():
            fake = self.generator(z, condition)
        fake_logits, said = self.both(fake, condition)
        return {
            **self.verdict(self.discriminate(real, condition), fake_logits),
            **self.penalized(real, fake, condition),
            "info": self._information_loss(said, z),
        }

    def generator_terms(self, real: Tensor, condition: Tensor | None) -> Terms:
        z = self.latent(len(real), "generator")
        fake = self.generator(z, condition)
        logits, said = self.both(fake, condition)
        return self.generator_loss(logits) | {"info": self._information_loss(said, z)}

    def _information_loss(self, said: Tensor, z: Tensor) -> Tensor:
        """-weight * E log Q(c | fake), but for a constant."""
        loss = said.new_zeros(())
        if self.categories:
            loss = loss + cross_entropy(said[:, : self.categories], z[:, self._categorical])
        if self.continuous:
            mean, log_variance = said[:, self.categories :].chunk(2, 1)
            code = z[:, self.latent_dim - self.continuous :]
            loss = loss + gaussian_nll_loss(mean, code, log_variance.exp()) * self.continuous
        return self.info_weight * loss
