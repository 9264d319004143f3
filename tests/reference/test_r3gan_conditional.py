"""The conditional R3GAN beside its authors' code: samples, logits, R1 and all gradients, in float64."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from gan_lightning.networks import R3GANDiscriminator, R3GANGenerator

RECORDED = load_file(Path(__file__).with_name("r3gan_conditional.safetensors"))
PRESET = {"channels": [768] * 4, "blocks": 2, "group_width": 16}
"""What conf/network/r3gan.yaml says of the authors' networks for 32x32."""


def recorded(prefix: str) -> dict[str, torch.Tensor]:
    return {name.removeprefix(prefix): value for name, value in RECORDED.items() if name.startswith(prefix)}


def assert_gradients(value: torch.Tensor, network: torch.nn.Module, prefix: str) -> None:
    expected = recorded(prefix)
    parameters = dict(network.named_parameters())
    found = torch.autograd.grad(value, list(parameters.values()), retain_graph=True, allow_unused=True)
    for name, gradient in zip(parameters, found, strict=True):
        gradient = torch.zeros_like(parameters[name]) if gradient is None else gradient
        torch.testing.assert_close(gradient, expected.get(name, torch.zeros_like(gradient)), rtol=1e-11, atol=1e-11)


def test_the_conditional_networks_are_the_authors():
    options = {"group_width": 4, "condition_dim": 3}
    generator = R3GANGenerator(6, [3, 8, 8], channels=[8, 4], label_embedding_dim=5, **options).double()
    discriminator = R3GANDiscriminator([3, 8, 8], channels=[4, 8], **options).double()
    for network, name in ((generator, "generator"), (discriminator, "discriminator")):
        network.load_state_dict(recorded(f"{name}.weight."))
    generator.layers[-1] = torch.nn.Identity()  # the authors' has no tanh
    condition = torch.eye(3, dtype=torch.float64)[RECORDED["labels"]]
    images = generator(RECORDED["z"], condition)
    logits = discriminator(images, condition)
    torch.testing.assert_close(images, RECORDED["image"], rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(logits, RECORDED["logits"], rtol=1e-11, atol=1e-11)
    for network, name in ((generator, "generator"), (discriminator, "discriminator")):
        assert_gradients(logits.square().sum(), network, f"{name}.gradient.")
    real = images.detach().requires_grad_(True)
    slope = torch.autograd.grad(discriminator(real, condition).sum(), real, create_graph=True)[0]
    r1 = slope.square().sum((1, 2, 3))
    torch.testing.assert_close(r1, RECORDED["r1"], rtol=1e-11, atol=1e-11)
    assert_gradients(r1.sum(), discriminator, "discriminator.r1_gradient.")


@pytest.mark.parametrize(("condition_dim", "counts"), [(0, (20_732_160, 20_683_776)), (10, (20_781_952, 21_280_512))])
def test_the_papers_size_has_as_many_weights_as_the_authors(condition_dim, counts):
    with torch.device("meta"):
        networks = (
            R3GANGenerator(64, [3, 32, 32], **PRESET, condition_dim=condition_dim, label_embedding_dim=64),
            R3GANDiscriminator([3, 32, 32], **PRESET, condition_dim=condition_dim),
        )
    assert tuple(sum(p.numel() for p in network.parameters()) for network in networks) == counts


def test_labels_are_embedded_with_the_authors_variance():
    """Theirs count the classes as fan in: 1 / classes in G, and 1 / (classes * features) in D."""
    torch.manual_seed(0)
    generator = R3GANGenerator(8, [3, 8, 8], channels=[8, 8], condition_dim=10, label_embedding_dim=400)
    discriminator = R3GANDiscriminator([3, 8, 8], channels=[16, 400], condition_dim=10)
    assert generator.concat.embedding.weight.square().mean().item() == pytest.approx(1 / 10, rel=0.1)
    assert discriminator.head.embedding.weight.square().mean().item() == pytest.approx(1 / 4000, rel=0.1)
    assert discriminator.head.linear.weight.square().mean().item() == pytest.approx(1 / 400, rel=0.1)
