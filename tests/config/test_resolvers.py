"""The resolvers of conf/, as a configuration has them."""

import pytest
from omegaconf import OmegaConf

from gan_lightning.config.resolvers import register_resolvers


@pytest.mark.parametrize(
    ("image_shape", "height"),
    [
        ([1, 32, 32], 16),
        ([3, 128, 128], 64),
        ([3, 256, 256], 64),
        ([1, 28, 28], 14),
        ([1, 16, 64], 8),
        ([1, 8, 8], None),  # halved once: G's only map has the image's size
        ([1, 30, 30], None),
        ([3, 7, 7], None),
        ([2], None),
        (None, None),
    ],
)
def test_self_attention_stands_at_a_map_that_both_networks_have(image_shape, height):
    register_resolvers()
    assert OmegaConf.create({"shape": image_shape, "height": "${attended:${shape}}"}).height == height
