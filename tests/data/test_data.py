import struct

import pytest
import torch
from sklearn.datasets import load_digits

from gan_lightning.data import MNIST, Digits, Gaussian1D, StackedMNIST
from gan_lightning.data.images import fit_to, to_uint8, to_unit_range
from gan_lightning.data.sampler import ShardedBatchSampler
from gan_lightning.errors import UserError

OWN = {"generator_real_batch_size": 6}


def batches(position=0, **changes):
    """The indices of D's part of each batch."""
    return [batch[0] for batch in two_parts(position, **{"parts": [8]} | changes)]


def two_parts(position=0, **changes):
    arguments = {"size": 50, "parts": [4, 6], "seed": 3} | changes
    return list(ShardedBatchSampler(**arguments, position=lambda: position))


def test_an_epoch_has_no_sample_twice():
    drawn = torch.cat(batches()).tolist()
    assert len(drawn) == len(set(drawn)) == 48


def test_epochs_and_seeds_differ_in_order():
    first, second, other = batches(0), batches(6), batches(0, seed=4)
    assert not torch.equal(torch.cat(first), torch.cat(second))
    assert not torch.equal(torch.cat(first), torch.cat(other))


@pytest.mark.parametrize("position", [0, 1, 5, 6, 7, 12])
def test_a_resumed_run_sees_the_batch_that_was_due(position):
    undisturbed = batches(0) + batches(6) + batches(12)
    resumed = batches(position)
    assert all(torch.equal(a, b) for a, b in zip(resumed, undisturbed[position:], strict=False))


def test_ranks_share_one_global_order():
    alone = batches(4)
    shared = [batches(4, rank=rank, world_size=4) for rank in range(4)]
    for index, batch in enumerate(alone):
        assert torch.equal(batch, torch.cat([part[index] for part in shared]))


def test_a_batch_of_two_parts():
    """D's and G's: five batches of both are the epoch, in any number of processes, from any batch on."""
    alone = two_parts()
    assert [tuple(map(len, parts)) for parts in alone] == [(4, 6)] * 5
    assert sorted(torch.cat([part for parts in alone for part in parts]).tolist()) == list(range(50))
    shared = [two_parts(rank=rank, world_size=2) for rank in (0, 1)]
    for index, parts in enumerate(alone):
        for place, part in enumerate(parts):
            assert torch.equal(part, torch.cat([process[index][place] for process in shared]))
    resumed = two_parts(3)
    assert all(torch.equal(a, b) for a, b in zip(resumed[0], alone[3], strict=True))


def test_both_parts_of_a_batch_are_images_with_labels():
    data = Digits([1, 28, 28], batch_size=64, generator_real_batch_size=16)
    data.setup()
    loader = data.train_dataloader()
    assert len(loader) == 1437 // 80
    images, labels, own_images, own_labels = data.on_after_batch_transfer(next(iter(loader)), 0)
    assert images.shape == (64, 1, 28, 28)
    assert own_images.shape == (16, 1, 28, 28)
    assert (own_images.min(), own_images.max(), own_images.dtype) == (-1, 1, torch.float32)
    assert (len(labels), len(own_labels)) == (64, 16)
    by_image = {image.numpy().tobytes(): int(label) for image, label in zip(*data.split("train"), strict=True)}
    for image, label in zip(to_uint8(own_images), own_labels, strict=True):
        assert by_image[image.numpy().tobytes()] == label
    with pytest.raises(UserError, match=r"batch_size=800 with data.generator_real_batch_size=800 is larger than"):
        Digits([1, 28, 28], batch_size=800, generator_real_batch_size=800).setup()


def test_synthetic_samples_of_g_are_others_and_leave_d_s_as_they_were():
    plain, both = (next(iter(Gaussian1D(batch_size=8, **own).train_dataloader())) for own in ({}, OWN))
    assert len(plain) == 2
    assert torch.equal(plain[0], both[0])
    assert both[1] is both[3] is None
    assert both[2].shape == (6, 1)
    assert not torch.isin(both[2], both[0]).any()
    assert both[2].min() < both[0].max()  # not the upper end of one sorted batch
    assert both[2].max() > both[0].min()


def test_digits_are_scikit_learns_in_two_parts():
    raw = load_digits()
    data = Digits([1, 8, 8])
    parts = [data.load(split) for split in ("train", "test")]
    assert [len(images) for images, _ in parts] == [1437, 360]
    images, labels = (torch.cat(both) for both in zip(*parts, strict=True))
    found = sorted((image.flatten().tolist(), label) for image, label in zip(images, labels.tolist(), strict=True))
    levels = torch.from_numpy(raw.images).mul(255 / 16).round().to(torch.uint8).flatten(1).tolist()
    assert found == sorted(zip(levels, raw.target.tolist(), strict=True))
    data.setup()
    assert torch.equal(data.train.images, parts[0][0])
    assert data.train.images.dtype == torch.uint8


def test_a_limit_takes_the_first_images():
    whole, few = Digits([1, 8, 8]), Digits([1, 8, 8], limit=100)
    assert torch.equal(few.split("train")[0], whole.split("train")[0][:100])
    assert len(few.split("train")[1]) == 100
    assert len(few.split("test")[0]) == 360


@pytest.mark.slow
def test_stacked_digits(mnist_root):
    data = StackedMNIST([3, 28, 28], root=mnist_root, count=300, test_count=200)
    plain = MNIST([1, 28, 28], root=mnist_root)
    for split, count in (("train", 300), ("test", 200)):
        images, labels = data.load(split)
        assert images.shape == (count, 3, 28, 28)
        digits, classes = plain.load(split)
        by_picture = {digit.numpy().tobytes(): int(c) for digit, c in zip(digits, classes, strict=True)}
        for picture, label in zip(images[:50], labels[:50].tolist(), strict=True):
            assert label == int("".join(str(by_picture[channel.numpy().tobytes()]) for channel in picture))
    assert torch.equal(data.load("train")[0], StackedMNIST([3, 28, 28], root=mnist_root, count=300).load("train")[0])
    other = StackedMNIST([3, 28, 28], root=mnist_root, count=300, stacking_seed=1)
    assert not torch.equal(data.load("train")[0], other.load("train")[0])


def test_a_batch_is_gathered_at_once_and_scaled_to_the_unit_range():
    data = Digits([1, 28, 28], batch_size=64)
    data.setup()
    batch = next(iter(data.train_dataloader()))
    assert batch[0].dtype == torch.uint8
    images, labels = data.on_after_batch_transfer(batch, 0)
    assert images.shape == (64, 1, 28, 28)
    assert labels.shape == (64,)
    assert images.min() == -1
    assert images.max() == 1


def test_scaling_is_undone_exactly():
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16)
    assert torch.equal(to_uint8(to_unit_range(levels)), levels)


def test_images_are_fitted_to_the_asked_shape():
    gray = torch.randint(0, 256, (2, 1, 8, 8), dtype=torch.uint8)
    color = fit_to(gray, [3, 8, 8])
    assert torch.equal(color[:, 0], gray[:, 0])
    assert torch.equal(color[:, 2], gray[:, 0])
    assert torch.equal(fit_to(color, [1, 8, 8]), gray)
    assert fit_to(gray, [1, 20, 12]).shape == (2, 1, 20, 12)
    flat = torch.full((1, 1, 8, 8), 77, dtype=torch.uint8)
    assert torch.equal(fit_to(flat, [1, 28, 28]), torch.full((1, 1, 28, 28), 77, dtype=torch.uint8))


def write_idx(root, images: torch.Tensor, labels: torch.Tensor, name: str = "MNIST") -> None:
    raw = root / name / "raw"
    raw.mkdir(parents=True)
    for split in ("train", "t10k"):
        header = struct.pack(">4i", 2051, *images.shape)
        (raw / f"{split}-images-idx3-ubyte").write_bytes(header + images.numpy().tobytes())
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(
            struct.pack(">2i", 2049, len(labels)) + labels.to(torch.uint8).numpy().tobytes()
        )


def test_mnist_is_read_from_its_files(tmp_path):
    images = torch.randint(0, 256, (10, 28, 28), dtype=torch.uint8)
    write_idx(tmp_path, images, torch.arange(10))
    data = MNIST([1, 28, 28], root=str(tmp_path), batch_size=5)
    data.prepare_data()
    data.setup()
    assert torch.equal(data.train.images[:, 0], images)
    assert data.train.labels.tolist() == list(range(10))


def test_missing_mnist_says_what_where_and_what_to_do(tmp_path):
    with pytest.raises(UserError, match=r"MNIST is not in .*raw, and data.download is false. Set data.root"):
        MNIST([1, 28, 28], root=str(tmp_path), download=False).prepare_data()


def test_a_batch_larger_than_the_data():
    with pytest.raises(UserError, match=r"data.batch_size=1438 is larger than the data: Digits has 1437 images"):
        Digits([1, 28, 28], batch_size=1438).setup()


def test_the_whole_of_mnist(mnist_root):
    data = MNIST([1, 28, 28], root=mnist_root, download=False)
    data.prepare_data()
    data.setup()
    assert data.train.images.shape == (60_000, 1, 28, 28)
    assert torch.bincount(data.train.labels).tolist()[:2] == [5923, 6742]
    assert len(data.train_dataloader()) == 937


def test_chosen_classes_keep_their_numbers():
    whole, part = (
        Digits([1, 8, 8], condition_dim=10),
        Digits([1, 8, 8], condition_dim=10, only_classes=[5, 7], limit=100),
    )
    for split in ("train", "test"):
        images, labels = whole.split(split)
        chosen = (labels == 5) | (labels == 7)
        used = slice(100 if split == "train" else None)
        assert torch.equal(part.split(split)[1], labels[chosen][used])
        assert torch.equal(part.split(split)[0], images[chosen][used])
    part.setup()
    assert part.vocabulary.examples.argmax(1).tolist() == [5, 7]
    assert part.condition_dim == 10
    with pytest.raises(UserError, match=r"data.only_classes=\[10\]: Digits has classes from 0 to 9"):
        Digits([1, 8, 8], condition_dim=10, only_classes=[10]).setup()
