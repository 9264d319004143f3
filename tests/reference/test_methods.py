"""Ways of training beside the authors' code: SAN, consistency, top-k, contrastive heads, penalty between samples."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot, relu

from gan_lightning.losses import (
    ContrastiveHead,
    Data2DataHead,
    Hinge,
    NonSaturating,
    TopK,
    bcr,
    cr,
    zero_centered_gp,
)
from gan_lightning.losses.consistency import flipped_and_shifted
from gan_lightning.losses.terms import means, total
from gan_lightning.models import SAN
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from gan_lightning.networks import MLPGenerator
from gan_lightning.networks.conditioning import LogitHead
from gan_lightning.schedules import Steps
from tests.reference.recordings import (
    Check,
    Difference,
    Recording,
    check,
    difference,
    gradient_difference,
    load_weights,
)
from tests.reference.test_heads import output_of
from tests.reference.test_penalties import compare

KIND = "methods"


class Bare(nn.Module):
    """A discriminator whose features are its samples."""

    feature_dim = 6

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


def top_k(recording: Recording) -> Difference:
    logits, values, gradients = recording["fake"].requires_grad_(), [], []
    for name, loss in (("hinge", Hinge()), ("vanilla", NonSaturating())):
        value = total(means(TopK(loss, share=6 / 8).generator(logits)))
        values.append(difference([value], [recording[name]]))
        gradients.append(gradient_difference(value, {"fake": logits}, {"fake": recording[f"{name}_gradient"]}))
    curve = Steps(factor=0.9, every=1, floor=0.5)
    shares = [torch.tensor(8 * curve.value(epoch, 1.0), dtype=torch.float64) for epoch in range(1, 13)]
    return Difference(max(*values, difference([torch.stack(shares)], [recording["k"]])), max(gradients))


class Divided(Data2DataHead):
    """The authors' division of the negatives by their largest number."""

    def contrast(self, to_proxy: Tensor, to_samples: Tensor, same: Tensor, other: Tensor) -> Tensor:
        near = (to_samples - 1 + self.margin) / self.temperature
        largest = near.masked_fill(~(same | other), -math.inf).amax(1, keepdim=True).detach()
        pulled = relu(self.margin - to_proxy) / self.temperature
        return pulled + ((-pulled).exp() + ((relu(near) - largest).exp() * other).sum(1)).log()


def contrastive(recording: Recording, head: ContrastiveHead) -> Difference:
    weights = {"linear.weight": "weight", "linear.bias": "bias", "proxies.weight": "proxies"}
    load_weights(head, {ours: recording[theirs] for ours, theirs in weights.items()})
    features = recording["features"].requires_grad_()
    value = total(head.generator(output_of(features, one_hot(recording["label"], 3).double())))
    theirs = {ours: recording[f"{name}_gradient"] for ours, name in (weights | {"features": "features"}).items()}
    gradients = gradient_difference(value, dict(head.named_parameters()) | {"features": features}, theirs)
    return Difference(difference([value], [recording["value"]]), gradients)


CHECKS: dict[str, Check] = {
    "san": san,
    "san_classes": lambda recording: san(recording, classes=3),
    "top_k": top_k,
    "contragan": lambda recording: contrastive(recording, ContrastiveHead(6, 3, 0.5, 4, 0.7)),
    "reacgan": lambda recording: contrastive(recording, Divided(6, 3, 0.5, 4, 0.5, 0.9)),
    "cr": lambda recording: consistency(recording, partial(cr, weight=10.0), "real"),
    "bcr": lambda recording: consistency(recording, partial(bcr, real_weight=10.0, fake_weight=5.0), "real", "fake"),
    "zero_centered_gp": lambda recording: compare(
        recording, partial(zero_centered_gp, weight=100.0), noise=recording["alpha"]
    ),
}


@pytest.mark.parametrize("name", CHECKS)
def test_as_recorded(name):
    check(KIND, name, CHECKS[name])
