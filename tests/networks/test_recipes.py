"""The convolutional and one-dimensional networks of the recipes: weights counted by hand, sizes, layers."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from gan_lightning.networks import (
    DCGANDiscriminator,
    DCGANGenerator,
    FaceDiscriminator,
    FaceGenerator,
    MinibatchDiscrimination,
    MLPDiscriminator,
    MLPGenerator,
    ScalarDiscriminator,
    ScalarGenerator,
)
from gan_lightning.networks.conditioning import InnerProductHead, LogitHead


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_recipe_2_by_hand():
    assert count(ScalarGenerator()) == (4 + 4) + (4 + 1)
    plain = (8 + 8) + (64 + 8) + (64 + 8) + (8 + 1)
    assert count(ScalarDiscriminator()) == plain == 169
    # 5 kernels of dimension 3 on 8 features, without a bias; the logit sees 8 + 5
    assert count(ScalarDiscriminator(minibatch=True)) == plain - (64 + 8) + 8 * 15 + 5 == 222


def test_recipe_2_starts_from_standard_normal_weights():
    torch.manual_seed(0)
    weights = torch.cat([ScalarDiscriminator().layers[2].weight.flatten() for _ in range(100)])
    assert weights.std().item() == pytest.approx(1, abs=0.05)
    assert MinibatchDiscrimination(1000).weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert not ScalarGenerator().layers[0].bias.any()


def test_recipe_3_by_hand():
    generator = FaceGenerator(100, [3, 96, 96], condition_dim=32)
    linear = (132 + 1) * 15 * 192 * 192
    norms = 2 * (15 + 50 + 25)
    convolutions = (15 * 9 + 1) * 50 + (50 * 9 + 1) * 25 + (25 * 4 + 1) * 3
    assert count(generator) == linear + norms + convolutions == 73_562_238
    discriminator = FaceDiscriminator([3, 96, 96], condition_dim=32)
    channel = (32 + 1) * 96 * 96
    convolutions = (4 * 25 + 1) * 32 + (32 * 25 + 1) * 64
    assert count(discriminator) == channel + convolutions + (64 * 16 * 16 + 1) * 1024 + 1025 == 17_137_889
    projected = FaceDiscriminator([3, 96, 96], condition_dim=32, join="projection")
    assert count(discriminator) - count(projected) == channel + 25 * 32 - 32 * 1024


def test_recipe_5_by_hand():
    generator = DCGANGenerator(100, [1, 28, 28], [256, 128, 64], [1, 2, 2], kernel_size=5, negative_slope=0.3)
    linear = 100 * 7 * 7 * 256
    convolutions = 25 * (256 * 128 + 128 * 64 + 64)
    assert count(generator) == linear + convolutions + 2 * (256 + 128 + 64) == 2_280_896
    discriminator = DCGANDiscriminator([1, 28, 28], [64, 128], [2, 2], 5, negative_slope=0.3, dropout=0.3)
    assert count(discriminator) == (25 + 1) * 64 + (64 * 25 + 1) * 128 + 128 * 49 + 1 == 212_865
    assert [layer.p for layer in discriminator.modules() if isinstance(layer, nn.Dropout)] == [0.3, 0.3]
    assert {layer.negative_slope for layer in discriminator.modules() if isinstance(layer, nn.LeakyReLU)} == {0.3}
    slopes = {layer.negative_slope for layer in generator.modules() if isinstance(layer, nn.LeakyReLU)}
    assert slopes == {0.3}


@pytest.mark.parametrize("kernel", [4, 5])
@pytest.mark.parametrize(("shape", "strides"), [([1, 28, 28], [1, 2, 2]), ([3, 64, 32], [2, 2, 2])])
def test_dcgan_makes_the_size_that_it_is_asked_for(kernel, shape, strides):
    if kernel == 4:
        strides = [stride for stride in strides if stride > 1]  # an even kernel has no center for stride 1
    widths = [4] * len(strides)
    images = DCGANGenerator(5, shape, widths, strides, kernel)(torch.randn(2, 5))
    assert images.shape == (2, *shape)
    assert images.abs().max() <= 1
    strides = [stride for stride in strides if stride > 1]
    assert DCGANDiscriminator(shape, widths[: len(strides)], strides, kernel)(images).shape == (2,)


def test_labels_may_be_embedded_before_they_join():
    generator = MLPGenerator(4, [1, 2, 2], [6], batch_norm=False, condition_dim=3, label_embedding_dim=5)
    assert count(generator) == (3 + 1) * 5 + (4 + 5 + 1) * 6 + (6 + 1) * 4
    z, condition = torch.randn(2, 4), torch.eye(3)[:2]
    joined = torch.cat([z, generator.concat.embedding(condition)], 1)
    torch.testing.assert_close(generator(z, condition), generator.layers(joined).view(2, 1, 2, 2))


def test_dcgan_refuses_a_size_that_its_strides_cannot_make():
    with pytest.raises(ValueError, match="kernel_size=4: expected an odd one where a stride is odd"):
        DCGANGenerator(5, [1, 28, 28], strides=[1, 2, 2], kernel_size=4)
    with pytest.raises(ValueError, match=r"30x28: expected multiples of 4.*data.image_shape"):
        DCGANGenerator(5, [1, 30, 28], strides=[1, 2, 2], kernel_size=5)
    with pytest.raises(ValueError, match=r"strides=\[2\]: expected one for each of channels=\[4, 4\]"):
        DCGANDiscriminator([1, 28, 28], [4, 4], [2])


def test_minibatch_discrimination_against_a_loop():
    layer = MinibatchDiscrimination(4, kernels=5, kernel_dim=3, std=1.0).double()
    x = torch.randn(6, 4, dtype=torch.float64)
    kernels = np.einsum("nf,fkd->nkd", x.numpy(), layer.weight.detach().numpy().reshape(4, 5, 3))
    closeness = np.zeros((6, 5))
    for i in range(6):
        for j in range(6):
            if i != j:
                for b in range(5):
                    closeness[i, b] += math.exp(-abs(kernels[i, b] - kernels[j, b]).sum())
    expected = torch.cat([x, torch.from_numpy(closeness)], 1)
    torch.testing.assert_close(layer(x), expected)
    assert torch.autograd.gradcheck(layer, x.requires_grad_())


CONDITIONED = {
    "mlp-projection": MLPDiscriminator([3, 8, 8], [7], condition_dim=5),
    "mlp-concat": MLPDiscriminator([3, 8, 8], [7], condition_dim=5, join="concat"),
    "dcgan-concat": DCGANDiscriminator([3, 8, 8], [4, 4], condition_dim=5, join="concat"),
    "faces": FaceDiscriminator([3, 16, 16], [2, 2], 6, condition_dim=5),
}


@pytest.mark.parametrize("name", CONDITIONED)
def test_the_condition_changes_the_logit(name):
    discriminator = CONDITIONED[name]
    image = torch.randn(2, 3, *([16, 16] if name == "faces" else [8, 8]))
    one, other = torch.eye(5)[:2].unsqueeze(1).expand(-1, 2, -1)
    assert not torch.allclose(discriminator(image, one), discriminator(image, other))


@pytest.mark.parametrize(
    "generator", [MLPGenerator(4, [1, 8, 8], [6], condition_dim=3), DCGANGenerator(4, [1, 8, 8], condition_dim=3)]
)
def test_the_condition_changes_the_image(generator):
    z, conditions = torch.randn(1, 4).expand(2, -1), torch.eye(3)[:2]
    first, second = generator.eval()(z, conditions)
    assert not torch.allclose(first, second)


def test_projection_is_the_papers_inner_product():
    head = LogitHead(feature_dim=6, condition_dim=4)
    features, condition = torch.randn(3, 6), torch.eye(4)[[2, 0, 3]]
    embedding = head.projection.weight.T[[2, 0, 3]]  # V y: a row for each class
    expected = features @ head.linear.weight[0] + head.linear.bias + (embedding * features).sum(1)
    torch.testing.assert_close(head(features, condition), expected)
    torch.testing.assert_close(head(features, torch.zeros(3, 4)), head.linear(features).squeeze(1))


def test_the_inner_product_is_zero_without_a_label():
    head = InnerProductHead(feature_dim=6, condition_dim=4)
    features = torch.randn(3, 6)
    expected = ((features @ head.linear.weight.T) * head.embedding.weight.T[[2, 0, 3]]).sum(1)
    torch.testing.assert_close(head(features, torch.eye(4)[[2, 0, 3]]), expected)
    assert not head(features, torch.zeros(3, 4)).any()
