import torch

from gan_lightning import rng


def test_every_part_of_the_key_counts():
    keys = [("a", 1, 2), ("a", 2, 1), ("b", 1, 2), ("a", 12), ("a", "12"), ("a", 1, 2, 0)]
    assert len({rng.mix(*key) for key in keys}) == len(keys)


def test_the_same_key_makes_the_same_draw():
    assert torch.equal(torch.randn(9, generator=rng.generator("x", 0)), torch.randn(9, generator=rng.generator("x", 0)))
    assert not torch.equal(
        torch.randn(9, generator=rng.generator("x", 0)), torch.randn(9, generator=rng.generator("x", 1))
    )


def test_seeding_the_defaults_repeats_dropout():
    def dropped(*key):
        rng.seed_defaults(torch.device("cpu"), *key)
        return torch.nn.functional.dropout(torch.ones(100))

    assert torch.equal(dropped(1), dropped(1))
    assert not torch.equal(dropped(1), dropped(2))


def test_permutation_holds_every_index_once():
    order = rng.permutation(100, "order", 0, 1)
    assert sorted(order.tolist()) == list(range(100))
    assert not torch.equal(order, rng.permutation(100, "order", 0, 2))
