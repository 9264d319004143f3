import numpy as np
import torch
from scipy.spatial.distance import cdist

from gan_lightning.data import Digits
from gan_lightning.metrics.memorisation import nearest, report


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
    found = report(*digits(), seed=0).figures
    assert not found["flagged"]
    assert abs(found["closer_to_train"] - 0.5) < 0.06
    assert abs(found["distance_ratio"] - 1) < 0.05
    assert (found["generated_images"], found["images_each"]) == (300, 500)


def test_repeated_training_images_are_flagged():
    _, train, held_out = digits()
    found = report(noisy(train[:300]), train, held_out, seed=0).figures
    assert found["flagged"]
    assert found["closer_to_train"] == 1
    assert found["distance_ratio"] < 0.7


def test_the_neighbours_are_looked_for_in_all_of_the_training_images():
    _, train, held_out = digits()
    found = report(noisy(train), train, held_out[:50], seed=0)
    assert found.figures["images_each"] == 50
    assert found.neighbours.tolist() == list(range(500))


def test_exact_copies_of_both_are_no_evidence():
    images, _, _ = digits()
    assert report(images, images, images, seed=0).figures["closer_to_train"] == 0.5
