import torch

from gan_lightning import rng


def test_the_number_of_processes_does_not_change_the_draw():
    alone = rng.normal(12, 5, "latent", 3, 7)
    shared = [rng.normal(4, 5, "latent", 3, 7, rank=rank, world_size=3) for rank in range(3)]
    assert torch.equal(alone, torch.cat(shared))


def test_every_part_of_the_key_counts():
    keys = [("a", 1, 2), ("a", 2, 1), ("b", 1, 2), ("a", 12), ("a", "12"), ("a", 1, 2, 0)]
    assert len({rng.mix(*key) for key in keys}) == len(keys)


def test_draws_are_repeatable_and_standard_normal():
    draw = rng.normal(2000, 50, "x", 0)
    assert torch.equal(draw, rng.normal(2000, 50, "x", 0))
    assert abs(draw.mean()) < 0.02
    assert abs(draw.std() - 1) < 0.02


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
