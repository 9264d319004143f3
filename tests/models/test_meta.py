"""A training step waits for no value from the device, mixes no devices, and starts as many kernels as it did before.

The real step of every variant x network runs on the `meta` device. `launches.json` has the number of kernels of a step;
after a change that is meant, `python -m tests.models.test_meta` writes it again.
"""

import json
from pathlib import Path

import pytest
import torch

from benchmarks.launches import Count, count_step
from gan_lightning.callbacks import GeneratorEMA
from tests.matrix.test_matrix import NEEDS_NUMBERS, OWN, VARIANTS, WIDTHS, expected_refusals, of_variant
from tests.models.composed import build_both

TABLE = Path(__file__).with_name("launches.json")
NETWORKS = {**WIDTHS, "began": WIDTHS["dcgan"], "autoencoder": WIDTHS["mlp"], "scalar": ()}
OF_AUTOENCODERS = ("began", "wgan_gp")
IMMEDIATE = ("wgan", "density_matching")
"""RMSprop, and SGD that is not fused, skip no step by a flag: each update reads its terms, D's two and G's one."""


def combinations():
    for variant in VARIANTS:
        for network in WIDTHS:
            if not expected_refusals(variant, network, of_variant(variant)["conditional"], OWN):
                yield variant, network
    yield from ((variant, network) for variant in OF_AUTOENCODERS for network in ("began", "autoencoder"))
    yield from ((variant, "scalar") for variant in NEEDS_NUMBERS)


FAST = {("infogan", "mlp"), ("matching_aware", "mlp"), ("gan_r1", "dcgan")}


def count(variant: str, network: str) -> Count:
    shape = () if network == "scalar" else ("data.image_shape=[3,32,32]", "data.limit=64")
    data = "gaussian_1d" if network == "scalar" else "digits"
    pretrain = ("model.pretrain_steps=0",) if variant == "density_matching" else ()
    small = ("trainer=cpu", f"data={data}", "data.batch_size=8", *shape, *NETWORKS[network], "model.n_critic=1")
    model, data = build_both(f"model={variant}", f"network={network}", *small, *pretrain)
    return count_step(model, data, GeneratorEMA())


def table() -> dict:
    return json.loads(TABLE.read_text())


@pytest.mark.parametrize(
    ("variant", "network"),
    [
        pytest.param(variant, network, marks=() if (variant, network) in FAST else pytest.mark.slow)
        for variant, counts in table()["launches"].items()
        for network in counts
    ],
)
def test_a_step(variant, network):
    found = count(variant, network)
    assert found.waits.total() == (3 if variant in IMMEDIATE else 0), found.waits
    if table()["torch"] == torch.__version__.partition("+")[0]:  # another version has other kernels
        assert found.launches.total() == table()["launches"][variant][network]


@pytest.mark.slow
def test_the_table_has_every_combination():
    assert {(variant, network) for variant, counts in table()["launches"].items() for network in counts} == set(
        combinations()
    )


def test_the_count_sees_waits_and_no_views():
    tensor = torch.ones(2, 3, device="meta")
    with Count() as counted:
        (tensor.view(6).detach() + 1).sum().item()
        bool(tensor.any())
        torch.ones(2).to("meta")
    assert counted.launches == {"add": 1, "sum": 1, "any": 1, "_to_copy": 1}
    assert counted.waits.total() == 3


if __name__ == "__main__":
    launches: dict[str, dict[str, int]] = {}
    for each in combinations():
        launches.setdefault(each[0], {})[each[1]] = count(*each).launches.total()
    text = json.dumps({"torch": torch.__version__.partition("+")[0], "launches": launches}, indent=1)
    TABLE.write_text(text + "\n")
