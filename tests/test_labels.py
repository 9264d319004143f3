import pytest
import torch

from gan_lightning import rng
from gan_lightning.errors import UserError
from gan_lightning.labels import LabelVocabulary, to_vectors

TAGS = LabelVocabulary.of_labels(
    ["blue hair", "red hair", "smile"], torch.tensor([[1, 0, 1], [1, 0, 0], [0, 1, 0], [0, 1, 0], [0, 0, 0]])
)


def sampled(count, labels=None) -> list[str]:
    rows = TAGS.sample(count, rng.generator("x"), labels)
    return [TAGS.describe(row) for row in rows]


def test_unlabeled_samples_are_no_examples():
    assert set(sampled(200)) == {"blue hair, smile", "blue hair", "red hair"}


def test_other_labels_vary_as_in_the_data():
    assert set(sampled(200, TAGS.parse("Blue hair"))) == {"blue hair, smile", "blue hair"}
    assert set(sampled(9, TAGS.parse("blue hair, smile"))) == {"blue hair, smile"}


def test_labels_that_never_occur_together_are_taken_as_they_are():
    assert set(sampled(9, TAGS.parse("red hair, smile"))) == {"red hair, smile"}


def test_an_unknown_name():
    with pytest.raises(UserError, match=r"green hair: no such label\. There are: blue hair, red hair, smile"):
        TAGS.parse("green hair, smile")


def test_a_sample_has_one_class():
    with pytest.raises(UserError, match="1, 2: a sample has one of these labels"):
        LabelVocabulary.of_labels("123", torch.eye(3)).parse("1, 2")


def test_class_indices_become_one_hot_rows_and_unlabeled_ones_zero():
    classes = LabelVocabulary.of_labels("abc", torch.eye(3))
    expected = torch.tensor([[0, 0, 1], [0, 0, 0], [1, 0, 0]]).float()
    assert torch.equal(classes.encode(torch.tensor([2, -1, 0])), expected)
    assert torch.equal(classes.encode(expected), expected)


def test_distinct_conditions_start_with_the_first_class():
    classes = LabelVocabulary.of_labels([str(n) for n in range(30)], torch.eye(30).repeat(3, 1))
    assert [classes.describe(row) for row in classes.distinct(10)][:2] == ["0", "3"]
    assert len(classes.distinct(10)) == 10


def test_the_state_makes_it_again():
    again = LabelVocabulary(**TAGS.state())
    assert again.names == TAGS.names
    assert torch.equal(again.examples, TAGS.examples)


@pytest.mark.parametrize("rows", [False, True])
def test_of_many_samples_the_kinds_are_kept_and_their_numbers(rows):
    classes = torch.cat([torch.arange(-1, 10).repeat_interleave(1000), torch.full((5000,), 3)])
    found = LabelVocabulary.of_labels("0123456789", to_vectors(classes, 10) if rows else classes)
    assert torch.equal(found.examples, torch.eye(10, dtype=torch.uint8))
    assert found.counts.tolist() == [1000] * 3 + [6000] + [1000] * 6
