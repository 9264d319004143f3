"""BigGAN's networks: weights counted by hand, the chunks of z, the shared embedding, orthogonal weights."""

import pytest
import torch
from torch import nn

from gan_lightning.networks import BigGANDiscriminator, BigGANGenerator
from tests.networks.test_resnet import conv, count

SIZES = {"channels": [8, 8, 8], "condition_dim": 3, "label_embedding_dim": 5}


def attention(channels: int) -> int:
    return 2 * channels * (channels // 8) + 2 * channels * (channels // 2) + 1


def test_studiogans_networks_for_cifar10_by_hand():
    """Those of conf/experiment/biggan_cifar10.yaml: 96 times 4 channels in G, 96 times 2 in D. Theirs have as many."""
    options = {"condition_dim": 10, "attention": 16}
    with torch.device("meta"):
        generator = BigGANGenerator(80, [3, 32, 32], channels=[384] * 3, **options)
        discriminator = BigGANDiscriminator([3, 32, 32], channels=[192] * 4, num_downsamples=2, **options)
    norm = 2 * (128 + 20) * 384
    block = 2 * norm + 2 * conv(384, 384) + conv(384, 384, 1)
    first, last = 21 * 16 * 384, 2 * 384 + conv(384, 3)
    assert count(generator) == 10 * 128 + first + 3 * block + attention(384) + last == 9_416_196
    image, down, keep = conv(3, 192) + conv(192, 192) + conv(3, 192, 1), conv(192, 192, 1), 2 * conv(192, 192)
    assert count(discriminator) == image + down + 3 * keep + attention(192) + 193 + 10 * 192 == 2_415_170


def test_a_chunk_of_z_enters_one_block():
    generator, seen = BigGANGenerator(17, [1, 16, 16], channels=[8, 8]), []
    assert generator.chunks == [7, 5, 5]
    for block in generator.blocks:
        block.register_forward_pre_hook(lambda block, inputs: seen.append(inputs[1]))
    z = torch.randn(4, 17)
    generator(z)
    assert torch.equal(torch.cat(seen, 1), z[:, 7:])


def test_all_blocks_get_the_embedding_of_the_label_beside_their_chunk():
    generator, seen = BigGANGenerator(8, [1, 16, 16], **SIZES | {"channels": [8, 8]}), []
    for block in generator.blocks:
        block.register_forward_pre_hook(lambda block, inputs: seen.append(inputs[1]))
    z, labels = torch.randn(2, 8), torch.tensor([2, 0])
    generator(z, torch.eye(3)[labels])
    for given, chunk in zip(seen, z.split([4, 2, 2], 1)[1:], strict=True):
        torch.testing.assert_close(given, torch.cat([generator.embedding.weight.T[labels], chunk], 1))


def test_too_few_latents_are_named():
    with pytest.raises(ValueError, match=r"network\.generator\.latent_dim=3: expected at least 4, .* each of 3 blocks"):
        BigGANGenerator(3, [3, 32, 32])


def test_weights_start_orthogonal():
    torch.manual_seed(0)
    networks = BigGANGenerator(8, [3, 32, 32], **SIZES), BigGANDiscriminator([3, 32, 32], base_channels=8)
    weights = [p.flatten(1) for network in networks for p in network.parameters() if p.ndim > 1]
    assert len(weights) == (1 + 1 + 3 * (4 + 3) + 1) + (3 * 3 + 2 + 1)
    for weight in weights:
        short = weight if weight.shape[0] <= weight.shape[1] else weight.T
        torch.testing.assert_close(short @ short.T, torch.eye(len(short)), rtol=0, atol=1e-5)


def test_a_discriminators_block_widens_at_its_first_convolution():
    discriminator = BigGANDiscriminator([3, 32, 32], base_channels=4)
    convolutions = [
        [(layer.in_channels, layer.out_channels) for layer in block.residual if isinstance(layer, nn.Conv2d)]
        for block in discriminator.body[:4]
    ]
    assert convolutions == [[(3, 4), (4, 4)], [(4, 8), (8, 8)], [(8, 16), (16, 16)], [(16, 16), (16, 16)]]
