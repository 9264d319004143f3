"""Conditions and heads beside the authors' code: the label in G and in D, and further outputs on D's features."""

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from gan_lightning.losses import ClassifierHead, CodeHead, DiscriminatorOutput
from gan_lightning.losses.terms import means, total
from gan_lightning.models import MatchingAwareGAN
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from gan_lightning.networks import MLPDiscriminator, MLPGenerator
from tests.reference import names, networks
from tests.reference.names import Tensors
from tests.reference.recordings import (
    TOLERANCE,
    Check,
    Difference,
    Recording,
    check,
    difference,
    gradient_difference,
    load_weights,
)
from tests.reference.test_networks import compare

KIND = "heads"


def classes(recording: Recording, count: int = 3) -> Tensor:
    return one_hot(recording["label"], count).double()


def conditional_batch_norm(recording: Recording) -> Difference:
    """Theirs embeds scale and shift, ours adds a bias to such an embedding."""
    network = networks.mimicry_generator(recording.group("weights"), classes=3)
    return compare(recording, network, names.mimicry_generator, classes(recording))


def projection(recording: Recording) -> Difference:
    network = networks.sngan_discriminator(recording.group("weights"), classes=3).eval()
    return compare(recording, network, names.mimicry_discriminator, classes(recording))


def output_of(features: Tensor, condition: Tensor | None = None, z: Tensor | None = None) -> DiscriminatorOutput:
    return DiscriminatorOutput(features.sum(1), features, condition, z)


def classifier(recording: Recording) -> Difference:
    head = ClassifierHead(4, 3, weight=0.5)
    load_weights(head, {"linear.weight": recording["weight"]})
    features = recording["features"].requires_grad_()
    value = total(head.generator(output_of(features, classes(recording))))
    theirs = {"linear.weight": recording["weight_gradient"], "features": recording["features_gradient"]}
    of = dict(head.named_parameters()) | {"features": features}
    return Difference(difference([value], [recording["value"]]), gradient_difference(value, of, theirs))


def code(recording: Recording) -> Difference:
    """Theirs has the constant of the normal distribution, and adds 1e-6 to its variance twice."""
    head = CodeHead(4, categories=3, continuous=2)

    def joined(group: Tensors) -> Tensor:
        return torch.cat([group["discrete"], group["conti_mu"], group["conti_var"]])

    load_weights(head, {"linear.weight": joined(recording.group("weights"))})
    features = recording["features"].requires_grad_()
    z = torch.cat([one_hot(recording["category"], 3).double(), recording["continuous"]], 1)
    value = total(head.generator(output_of(features, z=z)))
    theirs = {
        "linear.weight": joined(recording.group("gradients")),
        "features": recording["features_gradient"],
    }
    of = dict(head.named_parameters()) | {"features": features}
    constant = 2 * 0.5 * math.log(2 * math.pi)
    return Difference(difference([value + constant], [recording["value"]]), gradient_difference(value, of, theirs))


class Shifted(MatchingAwareGAN):
    """The wrong condition of a sample is that of the next one; the last sample has none, and keeps its own."""

    def __init__(self, *networks: nn.Module, real: Batch) -> None:
        super().__init__(*networks, conditional=True)
        self.real = real

    def sample_conditions(self, count: int, draws: Draws, *purpose: str) -> Tensor:
        return torch.cat([self.real.condition[1:], self.real.condition[-1:]])


def matching_aware(recording: Recording) -> Difference:
    """Theirs takes the mean over the mismatched pairs, ours over all samples."""
    discriminator = MLPDiscriminator([1, 4, 4], [6], condition_dim=3)
    load_weights(discriminator, _stackgan(recording.group("weights")))
    real = Batch(recording["real"], recording["condition"])
    model = Shifted(MLPGenerator(2, [1, 4, 4], [2], condition_dim=3), discriminator, real=real).double()
    fake = Batch(recording["fake"].requires_grad_(), recording["condition"])
    d_real, d_fake = model.discriminate(real), model.discriminate(fake)
    terms = means(model.discriminator_terms(real, fake, d_real, d_fake, Draws(0, 0, torch.device("cpu"))))
    terms["mismatch"] = terms["mismatch"] * 4 / 3
    value, of_generator = total(terms), total(means(model.generator_terms(d_fake, None)))
    theirs = {"fake": recording["generator_fake_gradient"]}
    values = difference(
        [value, of_generator, terms["real"], terms["fake"], terms["mismatch"]],
        [recording["discriminator"], recording["generator"], recording["real_term"]]
        + [recording[f"{kind}_term"] / 2 for kind in ("fake", "wrong")],
    )
    gradients = _stackgan(recording.group("gradients"))
    return Difference(
        values,
        max(
            gradient_difference(value, dict(discriminator.named_parameters()), gradients),
            gradient_difference(of_generator, {"fake": fake.samples}, theirs),
        ),
    )


def _stackgan(tensors: Tensors) -> dict[str, Tensor]:
    return names.renamed(tensors, {"body": "body", "linear": "head.linear", "projection": "head.projection"})


CHECKS: dict[str, Check] = {
    "conditional_batch_norm": conditional_batch_norm,
    "projection": projection,
    "classifier": classifier,
    "code": code,
    "matching_aware": matching_aware,
}
TOLERANCES = {"code": 5e-6}


@pytest.mark.parametrize("name", CHECKS)
def test_as_recorded(name):
    check(KIND, name, CHECKS[name], TOLERANCES.get(name, TOLERANCE))
