"""Three whole updates of D and of G, by a real Trainer, beside the authors' training loops."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import lightning
import pytest
import torch
from torch import Tensor, nn

from gan_lightning.losses import penalties
from gan_lightning.models import GAN, R3GAN, SNGAN, WGAN
from gan_lightning.models.draws import Draws
from tests.reference import names, networks
from tests.reference.names import Names
from tests.reference.recordings import Check, Difference, Recording, check, difference

KIND = "steps"
TOLERANCE = 1e-6
"""Of the way of a weight. Adam divides a gradient by its size plus 1e-8, so that it shows rounding where a gradient is
almost 0, as that of a bias before batch norm."""
REST = 25
"""Steps of the power method, after which it rests: the authors' code has one in each call of D, ours one an update."""


def given(kind: type[GAN], z: Tensor) -> type[GAN]:
    """A model whose latents are given: (updates, batch, latent_dim), in the order of the updates that generate."""

    class Given(kind):
        def sample_z(self, count: int, draws: Draws, *purpose: str) -> Tensor:
            return next(latents)

    latents = iter(z)
    return Given


def given_noise(noise: Tensor) -> Any:
    """WGAN-GP whose random shares of the real samples are given, a batch after the other."""
    shares: Iterator[Tensor] = iter(noise)

    def penalty(logits_of: Any, real: Tensor, fake: Tensor, draw_noise: Any) -> Tensor:
        return penalties.wgan_gp(logits_of, real, fake, lambda draw, *shape: next(shares).view(-1, *shape), weight=10.0)

    return penalty


def moved(network: nn.Module, before: dict[str, Tensor], after: dict[str, Tensor]) -> float:
    """The largest difference of the weights as a part of the longest way of a weight, or of the running statistics."""
    found, weights = network.state_dict(), networks.parameters(after)
    way = max((after[name] - before[name]).abs().max().item() for name in weights)
    statistics = [name for name in after if name not in weights]
    of_weights = difference([found[name] for name in weights], weights.values(), way)
    of_statistics = [difference([found[name]], [after[name]]) for name in statistics]
    return max(of_weights, *of_statistics, 0.0)


def compare(recording: Recording, model: GAN, generator: Names, discriminator: Names) -> Difference:
    trainer = lightning.Trainer(
        max_steps=3,
        accelerator="cpu",
        precision="64-true",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(model, torch.utils.data.DataLoader([(real, None) for real in recording["real"]], batch_size=None))
    return Difference(
        max(
            moved(getattr(model, player), *(to_ours(recording.group(f"{player}/{at}")) for at in ("before", "after")))
            for player, to_ours in (("generator", generator), ("discriminator", discriminator))
        ),
        None,
    )


def adam(*betas: float) -> Any:
    return partial(torch.optim.Adam, lr=2e-4, betas=betas)


def sngan(recording: Recording) -> Difference:
    generator = networks.mimicry_generator(recording.group("generator/before"))
    discriminator = networks.sngan_discriminator(recording.group("discriminator/before"), steps=REST)
    model = given(SNGAN, recording["z"])(generator, discriminator, optimizer=adam(0.0, 0.9))
    return compare(recording, model, names.mimicry_generator, names.mimicry_discriminator)


def wgan_gp(recording: Recording) -> Difference:
    generator = networks.mimicry_generator(recording.group("generator/before"))
    discriminator = networks.wgan_gp_discriminator(recording.group("discriminator/before"))
    penalty = {"wgan_gp": given_noise(recording["noise"])}
    model = given(WGAN, recording["z"])(generator, discriminator, optimizer=adam(0.0, 0.9), penalties=penalty)
    return compare(recording, model, names.mimicry_generator, names.mimicry_discriminator)


def r3gan(recording: Recording) -> Difference:
    generator = networks.r3gan_generator(recording.group("generator/before"))
    discriminator = networks.r3gan_discriminator(recording.group("discriminator/before"))
    both = {"r1": partial(penalties.r1, weight=0.5), "r2": partial(penalties.r2, weight=0.5)}
    model = given(R3GAN, recording["z"])(generator, discriminator, optimizer=adam(0.0, 0.9), penalties=both)
    return compare(recording, model, names.r3gan_generator, names.r3gan_discriminator)


def dcgan(recording: Recording) -> Difference:
    generator = networks.dcgan_generator(recording.group("generator/before"))
    discriminator = networks.dcgan_discriminator(recording.group("discriminator/before"))
    model = given(GAN, recording["z"])(generator, discriminator, optimizer=adam(0.5, 0.999), reuse_fake=True)
    return compare(recording, model, names.dcgan_generator, names.dcgan_discriminator)


def studiogan_hinge(recording: Recording) -> Difference:
    generator = networks.studio_generator(recording.group("generator/before"))
    discriminator = networks.studio_discriminator(recording.group("discriminator/before"), steps=REST)
    model = given(SNGAN, recording["z"])(generator, discriminator, optimizer=adam(0.5, 0.999))
    return compare(recording, model, names.studio_generator, names.studio_discriminator)


CHECKS: dict[str, Check] = {
    "sngan": sngan,
    "wgan_gp": wgan_gp,
    "r3gan": r3gan,
    "dcgan": dcgan,
    "studiogan_hinge": studiogan_hinge,
}


@pytest.mark.filterwarnings("ignore:.*does not have many workers.*")
@pytest.mark.parametrize("name", CHECKS)
def test_as_recorded(name):
    check(KIND, name, CHECKS[name], TOLERANCE)
