import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from gan_lightning.data import Digits
from gan_lightning.evaluation.memorization import nearest, report


def digits() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Images to play the generated ones, training images, and held-out ones, all alike."""
    images = Digits([1, 8, 8]).load("train")[0]
    return images[:300], images[300:800], images[800:1300]


def noisy(images: torch.Tensor) -> torch.Tensor:
    noise = 8 * torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + noise).clamp(0, 255).to(torch.uint8)


def test_the_nearest_are_scipys():
    images, train, _ = digits()
    flat = [(x.flatten(1).numpy() / 127.5 - 1) for x in (images, train)]
    expected = cdist(*flat)
    distances, places = nearest(images, train)
    np.testing.assert_allclose(distances, expected.min(1), atol=1e-6)
    assert places.tolist() == expected.argmin(1).tolist()


def test_more_images_than_are_compared_at_once():
    images, train, _ = digits()
    many = train.repeat(5, 1, 1, 1)
    assert torch.allclose(nearest(images, many)[0], nearest(images, train)[0])
    assert nearest(images[:5], torch.cat([many, images[:5]]))[1].tolist() == [2500, 2501, 2502, 2503, 2504]


def test_new_images_are_as_close_to_one_as_to_the_other():
    found = report(*digits(), seed=0).metrics
    assert not found["flagged"]
    assert found["expected_by_chance"] == 0.5
    assert abs(found["repeated_share"]) < 0.12
    assert abs(found["distance_ratio"] - 1) < 0.05
    assert (found["generated_images"], found["training_images"], found["held_out_images"]) == (300, 500, 500)


@pytest.mark.parametrize("held_out_images", [500, 50])
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_repeated_training_images_are_flagged(held_out_images, share):
    new, train, held_out = digits()
    copies = round(300 * share)
    generated = torch.cat([noisy(train[:copies]), new[copies:]])
    found = report(generated, train, held_out[:held_out_images], seed=0).metrics
    assert found["flagged"]
    assert found["repeated_share"] == pytest.approx(share, abs=0.25)


def test_a_few_images_are_not_flagged_by_chance():
    new, train, held_out = digits()
    flagged = [report(new[first : first + 8], train, held_out, seed=0).metrics["flagged"] for first in range(0, 296, 8)]
    assert sum(flagged) <= 1


def test_the_distances_of_repeated_images_are_smaller():
    _, train, held_out = digits()
    assert report(noisy(train[:300]), train, held_out, seed=0).metrics["distance_ratio"] < 0.7


def test_the_neighbors_are_looked_for_in_all_of_the_training_images():
    _, train, held_out = digits()
    assert report(noisy(train), train, held_out[:50], seed=0).neighbors.tolist() == list(range(500))


def test_exact_copies_of_both_are_no_evidence():
    images, _, _ = digits()
    found = report(images, images, images, seed=0).metrics
    assert (found["nearest_real_images"], found["flagged"]) == (0, False)


def test_a_collapsed_generator_does_not_repeat_its_data():
    """All its images share one neighbor, which is a training image six times of seven."""
    _, train, held_out = digits()
    blots = torch.zeros(500, 1, 8, 8, dtype=torch.uint8)
    blots[:, :, 3:5, 3:5] = torch.randint(256, (500, 1, 2, 2), dtype=torch.uint8)
    flagged = [report(noisy(blots), train, held_out[first : first + 80], seed=0).metrics for first in range(0, 480, 80)]
    assert not any(found["flagged"] for found in flagged)
