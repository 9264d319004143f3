"""Ways of training beside the authors' code: SAN."""

from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gan_lightning.losses import bcr, cr, zero_centered_gp
from gan_lightning.losses.consistency import flipped_and_shifted
from gan_lightning.losses.terms import means, total
from gan_lightning.models import SAN
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from gan_lightning.networks import MLPGenerator
from gan_lightning.networks.conditioning import LogitHead
from tests.reference.recordings import Check, Difference, Recording, check, difference, gradient_difference
from tests.reference.test_penalties import compare

KIND = "ways"


class Bare(nn.Module):
    """A discriminator whose features are its samples."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.head = LogitHead(6, classes, bias=False)

    def features(self, samples: Tensor, condition: Tensor | None) -> Tensor:
        return samples


def san(recording: Recording, classes: int = 0) -> Difference:
    """Theirs has weights for each class alone, ours adds those to weights of all classes, which are 0 here."""
    discriminator = Bare(classes)
    model = SAN(MLPGenerator(2, [6], [2]), discriminator).double()
    head = discriminator.head
    trained = (head.projection or head.linear).weight
    with torch.no_grad():
        head.linear.weight.zero_()
        trained.copy_(recording["weight"].T if classes else recording["weight"])
    condition = one_hot(recording["label"], 3).double() if classes else None
    real, fake = (Batch(recording[kind].requires_grad_(), condition) for kind in ("real", "fake"))
    d_real, d_fake = model.discriminate(real), model.discriminate(fake)
    draws = Draws(0, 0, torch.device("cpu"))
    value = total(means(model.discriminator_terms(real, fake, d_real, d_fake, draws)))
    of_generator = total(means(model.generator_terms(d_fake, None)))
    of = {"real": real.samples, "fake": fake.samples}
    (weight,) = torch.autograd.grad(value, [trained], retain_graph=True)
    gradients = [
        difference([weight.T if classes else weight], [recording["weight_gradient"]]),
        gradient_difference(value, of, {kind: recording[f"{kind}_gradient"] for kind in ("real", "fake")}),
        gradient_difference(of_generator, of, {"fake": recording["generator_fake_gradient"]}),
    ]
    values = difference([value, of_generator], [recording["discriminator"], recording["generator"]])
    return Difference(values, max(gradients))


def consistency(recording: Recording, penalty: Callable[..., Tensor], *kinds: str) -> Difference:
    noise = torch.cat([recording[f"noise/{kind}"] for kind in kinds], 1)
    found = compare(recording, penalty, noise=noise)
    moved = [flipped_and_shifted(recording[kind], recording[f"noise/{kind}"]) for kind in kinds]
    return Difference(
        max(found.values, difference(moved, [recording[f"moved/{kind}"] for kind in kinds])), found.gradients
    )


CHECKS: dict[str, Check] = {
    "san": san,
    "san_classes": lambda recording: san(recording, classes=3),
    "cr": lambda recording: consistency(recording, partial(cr, weight=10.0), "real"),
    "bcr": lambda recording: consistency(recording, partial(bcr, real_weight=10.0, fake_weight=5.0), "real", "fake"),
    "zero_centered_gp": lambda recording: compare(
        recording, partial(zero_centered_gp, weight=100.0), noise=recording["alpha"]
    ),
}


@pytest.mark.parametrize("name", CHECKS)
def test_as_recorded(name):
    check(KIND, name, CHECKS[name])
