"""The table of what values may be, and their combinations."""

import re

import pytest

from gan_lightning.config.combinations import condition_problems
from gan_lightning.config.options import conf_folder
from gan_lightning.config.values import RULES, value_problem

NOT_IN_CONF = {"eps", "weight_decay", "kernels", "kernel_dim"}
"""Arguments of torch's optimizers and of the minibatch layers that no file of conf/ gives."""
WITHOUT_RULE = {
    *("mean", "num_sanity_val_steps", "n_trials", "n_jobs", "max_failure_rate", "max_retries", "heartbeat"),
    *("eta", "factors", "lr_factors", "images"),
    *("trials", "psi", "theta"),
}
"""Numbers of conf/ that may have any value, that Lightning, Hydra or torch checks, or that belong to no run."""


def test_the_table_is_sorted_and_has_no_dead_entry():
    assert list(RULES) == sorted(RULES)
    given = {key for file in conf_folder().rglob("*.yaml") for key in re.findall(r"(\w+):", file.read_text())}
    assert set(RULES) - given == NOT_IN_CONF


def test_every_number_has_a_rule():
    numbers = {
        key for file in conf_folder().rglob("*.yaml") for key in re.findall(r"(?m)^ *(\w+): \[?-?\d", file.read_text())
    }
    assert numbers - set(RULES) == WITHOUT_RULE


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("network.generator.hidden_dims", 256, "a list of whole numbers from 1 to 1048576"),
        ("network.generator.hidden_dims", [256, 0], "a list of whole numbers from 1 to 1048576"),
        ("network.discriminator.code_dim", 0, "a whole number from 1 to 1048576"),
        ("network.generator.label_embedding_dim", -1, "a whole number from 0 to 1048576"),
        ("network.discriminator.kernel_size", 4.5, "a whole number from 1 to 1048576"),
        ("data.test_fraction", 1.0, "a number from 0 to below 1"),
        ("data.batches_per_epoch", 0, "a whole number from 1 to 2147483647"),
        ("data.extent", 0.0, "a number above 0"),
        ("model.optimizer.momentum", -1, "a number from 0 to below 1"),
        ("network.generator.negative_slope", -1, "a number from 0 to 1"),
        ("network.generator.batch_norm_eps", 0, "a number above 0"),
        ("model.optimizer.eps", -1, "a number from 0"),
        ("model.gradient_clip_norm", 0, "a number above 0, or null"),
        ("model.loss.share", 1.5, "a number above 0, up to 1"),
        ("model.margin", 2, "a number from -1 to 1"),
        ("data.gpu_memory_fraction", 1.0, "a number from 0 to below 1"),
        ("model.optimizer.weight_decay", "a", "a number from 0"),
        ("model.penalties.r1.weight", -1, "a number from 0"),
        ("model.penalties.r1.weight", 2.0**128, "a number from 0"),
        ("model.optimizer.lr", True, "a number above 0"),
        ("model.scheduler.step_size", 0, "a whole number from 1 to 2147483647"),
        ("model.optimizer.betas", [0.5], "two numbers from 0 to below 1"),
        ("network.generator.hidden_dims", [], "a list of whole numbers from 1 to 1048576"),
        ("callbacks.evaluation.num", 100_001, "a whole number from 1 to 100000"),
        ("init_from", "", "a path, or null"),
        ("anything", 2**63, "a number that torch can hold"),
    ],
)
def test_a_wrong_value_is_named_with_its_key(key, value, expected):
    assert value_problem(key, value) == f"{key}={value!r}: expected {expected}"


@pytest.mark.parametrize("shape", [[1, 28], [], [0, 28, 28], [4096, 4096, 2]])
def test_shapes_that_are_none_of_images(shape):
    assert "expected [channels, height, width]" in value_problem("data.image_shape", shape)


def test_devices():
    allowed = (1, [1], [0, 3], "auto", -1)
    assert [devices for devices in allowed if value_problem("trainer.devices", devices)] == []
    for devices in (0, 1025, [], [-1], "1"):
        assert "expected a number of devices" in value_problem("trainer.devices", devices)


@pytest.mark.parametrize(
    ("conditional", "generator", "discriminator", "expected"),
    [
        (False, 0, 0, []),
        (True, 10, 10, []),
        (True, 10, 0, []),  # AC-GAN: D gets no labels
        (True, 0, 10, ["network.generator.condition_dim=0: expected data.condition_dim=10"]),
        (True, 10, 7, ["network.discriminator.condition_dim=7: expected data.condition_dim=10"]),
        (True, None, None, []),  # networks of a package of the user's
        (False, 0, 10, ["network.discriminator.condition_dim=10: it would get no labels; set model.conditional=true"]),
    ],
)
def test_networks_are_built_for_the_labels_of_the_data(conditional, generator, discriminator, expected):
    networks = {"generator": {"condition_dim": generator}, "discriminator": {"condition_dim": discriminator}}
    config = {"model": {"conditional": conditional} | networks, "data": {"condition_dim": 10}}
    assert list(condition_problems(config)) == expected
