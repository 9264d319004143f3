"""Grids for display: whole enlarged pixels, and captions where they belong."""

import pytest
import torch
from torchvision.utils import make_grid

from gan_lightning.visualization import grids


@pytest.mark.parametrize(
    ("count", "columns", "size", "factor"),
    [(25, None, 28, 4), (50, 5, 28, 3), (40, 20, 28, 3), (64, None, 64, 1), (4, None, 512, 1), (1, None, 8, 64)],
)
def test_small_images_are_enlarged_by_whole_numbers(count, columns, size, factor):
    images = torch.rand(count, 3, size, size) * 2 - 1
    found = grids.grid(images, columns)
    plain = make_grid(images, nrow=columns or round(count**0.5), normalize=True, value_range=(-1, 1))
    assert torch.equal(found[:, ::factor, ::factor], plain)
    assert torch.equal(found, grids.enlarged(plain, factor))


def test_a_caption_that_a_row_has_in_common_is_beside_it():
    images = torch.zeros(6, 1, 28, 28)
    plain, found = grids.grid(images, 3), grids.grid(images, 3, [*["one"] * 3, *["two"] * 3])
    beside = found.shape[2] - plain.shape[2]
    assert torch.equal(found[:, :, beside:], plain)
    margin = found[:, :, :beside]
    assert margin.min() < 0.5  # letters
    assert (margin[:, :, 0] == 1).all()


def test_other_captions_are_below_each_image():
    found = grids.grid(torch.full((4, 3, 28, 28), -1.0), 2, ["a", "b", "b", "a"])
    (edges,) = torch.where((found == 1).all(0).any(1).diff())  # between lines with white pixels and black ones
    assert edges.tolist() == [300 - 1, 318 - 1, 618 - 1, 636 - 1]  # black: 2 + 28 pixels, ten times enlarged


def test_a_long_caption_is_as_wide_as_its_image():
    found = grids.grid(torch.zeros(4, 1, 8, 8), 2, ["a", "blue hair, yellow eyes, a hat, and glasses" * 9, "b", "c"])
    assert found.shape[2] == grids.grid(torch.zeros(4, 1, 8, 8), 2).shape[2]
