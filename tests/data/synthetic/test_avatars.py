from functools import cache

import pytest
import torch

from gan_lightning.data.synthetic.avatar_colors import EYES, GROUPS, HAIR, OPTIONAL, measure
from gan_lightning.data.synthetic.avatar_drawing import TRAITS, render
from gan_lightning.data.synthetic.avatars import Avatars
from gan_lightning.errors import UserError


@cache
def avatars(size=32, count=300, **changes):
    """Faces for several tests, none of which changes them."""
    data = Avatars([3, size, size], count=count, **changes)
    data.setup()
    return data


def colors(labels):
    """The indices of hair and eye color that the tags name."""
    return labels[:, : len(HAIR)].argmax(1), labels[:, len(HAIR) : len(HAIR) + len(EYES)].argmax(1)


def share(found, said):
    return (found == said).float().mean().item()


def test_a_face_has_one_tag_of_each_group():
    labels, start = avatars(count=2000).train.labels, 0
    for name, group in GROUPS.items():
        part = labels[:, start : start + len(group)].float()
        start += len(group)
        assert part.sum(1).max() == 1
        assert part.sum(1).mean().item() == pytest.approx(OPTIONAL.get(name, 1), abs=0.05)
        assert part.mean(0).tolist() == pytest.approx([OPTIONAL.get(name, 1) / len(group)] * len(group), abs=0.05)
    assert start == labels.shape[1]


def test_names_and_examples_reach_the_vocabulary():
    vocabulary = avatars().vocabulary
    assert len(set(vocabulary.names)) == 25
    vector = vocabulary.parse("blue hair, yellow eyes")
    assert [vocabulary.names[i] for i in vector.nonzero().flatten()] == ["blue hair", "yellow eyes"]


@pytest.mark.parametrize("size", [32, 48, 64, 96])
def test_the_colors_can_be_read_off_the_pixels(size):
    data = avatars(size)
    for found, said in zip(measure(data.train.images), colors(data.train.labels), strict=True):
        assert share(found, said) >= 0.99


def test_the_colors_are_read_through_a_blur_and_noise():
    data = avatars(64)
    blurred = torch.nn.functional.avg_pool2d(data.train.images.float(), 3, 1, 1)
    noise = 10 * torch.randn(blurred.shape, generator=torch.Generator().manual_seed(0))
    images = (blurred + noise).clamp(0, 255).to(torch.uint8)
    for found, said in zip(measure(images), colors(data.train.labels), strict=True):
        assert share(found, said) >= 0.95


def test_the_measure_follows_the_pixels_and_not_the_tags():
    data = avatars(count=2000)
    for found, said in zip(measure(data.train.images), colors(data.train.labels.roll(1, 0)), strict=True):
        assert share(found, said) == pytest.approx(1 / 8, abs=0.03)


def test_every_tag_shows():
    """Two faces that differ in one tag alone differ in pixels, by more than rounding, at the smallest size."""
    names = [tag for group in GROUPS.values() for tag in group]
    traits = torch.tensor([list(TRAITS.values())]).mean(2)
    for title, group in GROUPS.items():
        others = [next(iter(other)) for other in GROUPS.values() if other is not group]
        rows = [[int(name in (*others, tag)) for name in names] for tag in (*group, *["none"] * (title in OPTIONAL))]
        pictures = render(torch.tensor(rows, dtype=torch.uint8), traits.expand(len(rows), -1), (32, 32)).float()
        for i, picture in enumerate(pictures):
            for other in pictures[:i]:
                assert ((picture - other).abs().amax(0) > 30).sum() >= 4


def test_every_trait_shows():
    tags = torch.eye(25, dtype=torch.uint8)[[0, 8, 17, 18]].sum(0, dtype=torch.uint8).expand(2, -1)
    low, high = torch.tensor(list(TRAITS.values())).T
    for index, name in enumerate(TRAITS):
        traits = torch.lerp(low, high, 0.5).repeat(2, 1)
        traits[0, index] = low[index]
        one, other = render(tags, traits, (64, 64))
        assert not torch.equal(one, other), name


def test_the_drawing_seed_alone_decides():
    one, same, other = avatars(seed=0), avatars(seed=1), avatars(drawing_seed=1)
    assert torch.equal(one.train.images, same.train.images)
    assert torch.equal(one.train.labels, same.train.labels)
    assert not torch.equal(one.train.labels, other.train.labels)


def test_torch_keeps_its_threads():
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    avatars.__wrapped__(count=64)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads)


def test_more_faces_begin_with_the_same():
    few, many = avatars(count=64), avatars(count=300)
    assert torch.equal(few.train.images, many.train.images[:64])
    assert torch.equal(few.train.labels, many.train.labels[:64])


def test_unlabeled_faces_are_kept_without_tags():
    full, half = avatars(), avatars(labeled_fraction=0.5)
    labeled = half.train.labels.sum(1) > 0
    assert labeled.sum() == 150
    assert torch.equal(full.train.images, half.train.images)
    assert torch.equal(full.train.labels[labeled], half.train.labels[labeled])
    assert half.vocabulary.examples.any(1).all()


def test_unlabeled_faces_are_left_out():
    half, dropped = avatars(labeled_fraction=0.5), avatars(labeled_fraction=0.5, unlabeled="drop")
    labeled = half.train.labels.sum(1) > 0
    assert torch.equal(dropped.train.images, half.train.images[labeled])
    assert torch.equal(dropped.train.labels, half.train.labels[labeled])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labeled_fraction": 1.1}, r"data.labeled_fraction=1.1: expected a number from 0 to 1"),
        ({"labeled_fraction": -0.1}, r"data.labeled_fraction=-0.1: expected a number from 0 to 1"),
        ({"labeled_fraction": 0.0, "unlabeled": "drop"}, r"data.labeled_fraction=0.0: .* one that keeps a face"),
        ({"count": 0}, r"data.count=0: expected a whole number from 1"),
        ({"condition_dim": 24}, r"data.condition_dim=24: .*25"),
    ],
)
def test_impossible_arguments(changes, message):
    with pytest.raises(UserError, match=message):
        avatars(**changes)


@pytest.mark.parametrize("shape", [[3, 48, 32], [3, 33, 65], [1, 32, 32]])
def test_any_shape(shape):
    data = Avatars(shape, count=64)
    data.setup()
    assert list(data.train.images.shape) == [64, *shape]


def test_a_wide_picture_has_the_face_in_its_middle():
    square, wide = Avatars([3, 32, 32], count=64), Avatars([3, 32, 48], count=64)
    assert torch.equal(square.load("train")[0], wide.load("train")[0][..., 8:40])


def test_faces_to_test_are_others():
    data = Avatars([3, 32, 32], count=100, labeled_fraction=0.1)
    train, test = data.load("train"), data.load("test")
    assert len(test[0]) == 20
    assert test[1].any(1).all()
    seen = {image.numpy().tobytes() for image in train[0]}
    assert not any(image.numpy().tobytes() in seen for image in test[0])
