"""The arguments of Lightning's Trainer."""

import pytest

from gan_lightning.training.trainer import has_one_process


@pytest.mark.parametrize(
    ("section", "one"),
    [
        ({}, True),
        ({"devices": 1}, True),
        ({"devices": [3]}, True),  # the user's choice among the GPUs
        ({"devices": [0, 1]}, False),
        ({"devices": 2}, False),
        ({"devices": "auto"}, False),
        ({"devices": [3], "num_nodes": 2}, False),
    ],
)
def test_a_single_process(section, one):
    assert has_one_process(section) == one
