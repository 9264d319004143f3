"""The arguments of the Trainer."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from gan_lightning.data import Digits
from gan_lightning.errors import UserError
from gan_lightning.models import GAN
from gan_lightning.training.trainer import Trainer, has_one_process, images_per_batch
from tests.conftest import TINY, refusal, training_differences
from tests.models.test_gan import SHAPE, networks


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


def of_images(count):
    off = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    by_hand = {"accelerator": "cpu", "use_distributed_sampler": False, "log_every_n_steps": 5}
    return Trainer(max_images=count, steps_per_block=1, **by_hand, **off)


@pytest.mark.parametrize(("images", "batches"), [(96, 3), (97, 4), (44 * 32 + 1, 45)])
def test_a_length_in_images_is_rounded_up_to_batches(images, batches, caplog):
    """The last one reaches into the second epoch, of 44 batches."""
    runner = of_images(images)
    with caplog.at_level("INFO", "gan_lightning.training.trainer"):
        runner.fit(GAN(*networks()), Digits(SHAPE, batch_size=32))
    assert runner.global_step == batches
    told = f"trainer.max_images={images}: {batches} batches of 32 are {32 * batches} images"
    assert (told in caplog.messages) == (images != 32 * batches)


def test_images_of_g_s_own_do_not_count():
    assert images_per_batch(of_images(1), Digits(SHAPE, batch_size=32, generator_real_batch_size=8)) == 32


def test_another_loader_has_the_batch_of_one_process():
    runner = of_images(40)
    runner.fit(GAN(*networks()), DataLoader(TensorDataset(torch.randn(24, *SHAPE), torch.zeros(24)), batch_size=8))
    assert runner.global_step == 5
    with pytest.raises(UserError, match=r"trainer.max_images: list has no batch_size; use trainer.max_steps"):
        of_images(40).fit(GAN(*networks()), [(torch.randn(8, *SHAPE), None)])


def test_a_run_has_one_length():
    two = "trainer.max_images=64: a run has one length, and trainer.max_{}; keep one, and set trainer.max_images=null"
    for other, set_to in (("steps=3", "steps=-1"), ("epochs=3", "epochs=-1")):
        output = refusal("trainer.max_images=64", f"trainer.max_{other}")
        assert two.format(f"{other} is another") + f" or trainer.max_{set_to}" in output
    assert "trainer.max_steps=3: a run has one length" in refusal("trainer.max_steps=3", "trainer.max_epochs=3")


@pytest.mark.slow
def test_a_run_of_images_goes_on_to_more_of_them(train):
    short = train("short", *TINY, "trainer.max_images=100")
    assert short.code == 0, short.output
    assert (short.summary["step"], short.summary["images_seen"]) == (4, 128)
    resumed = train("short", f"resume={short.folder}", "trainer.max_images=192")
    whole = train("whole", *TINY, "trainer.max_images=192")
    assert (resumed.summary["step"], resumed.summary["images_seen"]) == (6, 192)
    assert training_differences(resumed, whole) == []
    again = train("short", f"resume={short.folder}")
    assert "is finished, 6 batches" in again.output
    by_steps = train("short", f"resume={short.folder}", "trainer.max_steps=7")
    assert by_steps.summary["step"] == 7
