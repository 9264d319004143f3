import pytest
import torch
from torch import nn

from gan_lightning.losses import bcr, cr
from gan_lightning.losses.consistency import flipped_and_shifted


def numbers(flip, down, right, side=8):
    """The numbers that give a shift by whole pixels of a picture of 8 x 8, or of 16 x 16."""
    limit = side // 8
    return torch.tensor([[0.25 if flip else 0.75, *((each + limit + 0.5) / (2 * limit + 1) for each in (down, right))]])


def test_pictures_are_mirrored_and_shifted_and_reflected_at_their_edges():
    images = torch.arange(128.0).view(2, 1, 8, 8)
    given = torch.cat([numbers(False, 1, -1), numbers(True, 0, 0)])
    first, second = flipped_and_shifted(images, given)
    rows, columns = [1, 2, 3, 4, 5, 6, 7, 6], [1, 0, 1, 2, 3, 4, 5, 6]
    assert torch.equal(first, images[0][:, rows][:, :, columns])
    assert torch.equal(second, images[1].flip(2))


def test_every_shift_is_as_likely():
    images = torch.arange(256.0).view(1, 1, 16, 16).expand(500, 1, 16, 16)
    given = (torch.arange(500) + 0.5) / 500
    moved = flipped_and_shifted(images, torch.stack([torch.ones(500), given, given], 1))
    rows = (moved[:, 0, 5, 5] // 16).long() - 5
    assert torch.equal(rows.unique(return_counts=True)[0], torch.arange(-2, 3))
    assert torch.equal(rows.unique(return_counts=True)[1], torch.full((5,), 100))


def test_the_penalties_are_squared_differences_with_a_slope_in_both_logits():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 1), nn.Flatten(0))
    real, fake = torch.randn(2, 1, 8, 8), torch.randn(2, 1, 8, 8)
    given = torch.cat([numbers(True, 0, 1), numbers(False, 1, 0)])
    drawn = torch.cat([given, given.flip(0)], 1)
    real_part, fake_part = (
        (network(x) - network(flipped_and_shifted(x, at))).square().mean()
        for x, at in ((real, given), (fake, given.flip(0)))
    )
    values = (
        (cr(network, real, fake, lambda draw, count: drawn[:, :count], weight=3.0), 3 * real_part),
        (
            bcr(network, real, fake, lambda draw, count: drawn[:, :count], real_weight=2.0, fake_weight=0.5),
            2 * real_part + 0.5 * fake_part,
        ),
    )
    for value, expected in values:
        torch.testing.assert_close(value, expected)
        ours, theirs = (torch.autograd.grad(each, network[1].weight, retain_graph=True) for each in (value, expected))
        torch.testing.assert_close(ours, theirs)


def test_it_is_for_pictures():
    with pytest.raises(ValueError, match=r"model.penalties: consistency is for images .* got \(4, 2\)"):
        cr(lambda x: x.sum(1), torch.randn(4, 2), torch.randn(4, 2), torch.rand, weight=1.0)
