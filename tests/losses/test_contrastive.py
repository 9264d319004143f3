"""Heads that contrast samples, against their formulas with loops."""

import math

import pytest
import torch
from torch.nn.functional import one_hot

from gan_lightning.losses import ContrastiveHead, Data2DataHead, DiscriminatorOutput

CLASSES = [0, 1, 0, 2, 1]


def contragan(pulled, near, classes, i):
    """Without a class, a sample is no other's partner or opponent."""
    others = [j for j in range(len(classes)) if j != i and classes[j] is not None]
    own = math.exp(pulled / 0.7)
    same = own + sum(math.exp(near[j] / 0.7) for j in others if classes[j] == classes[i])
    return -math.log(same / (own + sum(math.exp(near[j] / 0.7) for j in others)))


def reacgan(pulled, near, classes, i):
    positive = math.exp(min(pulled - 0.8, 0) / 0.5)
    others = [j for j in range(len(classes)) if classes[j] not in (classes[i], None)]
    return -math.log(positive / (positive + sum(math.exp(max(near[j] - 0.2, 0) / 0.5) for j in others)))


HEADS = {
    contragan: lambda: ContrastiveHead(6, 3, 0.3, embedding_dim=4, temperature=0.7),
    reacgan: lambda: Data2DataHead(6, 3, 0.3, embedding_dim=4, temperature=0.5, margin=0.8),
}


@pytest.mark.parametrize("unlabeled", [False, True])
@pytest.mark.parametrize("formula", HEADS)
def test_the_formula(formula, unlabeled):
    torch.manual_seed(0)
    head = HEADS[formula]()
    classes, condition = list(CLASSES), one_hot(torch.tensor(CLASSES), 3).float()
    if unlabeled:
        classes[2], condition[2] = None, 0
    features = torch.randn(5, 6)
    output = DiscriminatorOutput(torch.zeros(5), features, condition, None)
    samples = [row / row.norm() for row in head.linear(features)]
    proxies = [row / row.norm() for row in head.proxies.weight]
    expected = 0.0
    for i, name in enumerate(classes):
        if name is not None:
            near = [(samples[i] @ other).item() for other in samples]
            expected += formula((samples[i] @ proxies[name]).item(), near, classes, i) / 5
    terms = head.discriminator(output, output) | head.generator(output)
    assert set(terms) == {"class_real", "class"}
    for value in terms.values():
        assert value.item() == pytest.approx(0.3 * expected, rel=1e-5)
    gradients = torch.autograd.grad(terms["class"], list(head.parameters()))
    assert all(gradient.isfinite().all() and gradient.any() for gradient in gradients)


def test_a_sample_that_is_near_its_proxy_and_far_from_others_has_no_slope():
    head = Data2DataHead(2, 2, embedding_dim=2, margin=0.9)
    with torch.no_grad():
        head.linear.weight.copy_(torch.eye(2))
        head.linear.bias.zero_()
        head.proxies.weight.copy_(torch.eye(2))
    features = torch.tensor([[1.0, 0.1], [-0.1, 1.0]], requires_grad=True)
    (value,) = head.generator(DiscriminatorOutput(torch.zeros(2), features, torch.eye(2), None)).values()
    value.backward()
    assert value.item() == pytest.approx(0.5 * math.log(2))
    assert not features.grad.any()
