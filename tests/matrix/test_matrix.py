"""Variant x network x size x channels x conditioned or not: all of it trains, or is refused with the reason.

The default suite takes a cover of all pairs; `python -m pytest -m matrix` takes the whole.
"""

import itertools

import numpy as np
import pytest
import torch

from gan_lightning.cli.generate import main as generate
from tests.conftest import PROJECT

CONDITIONAL = ("cgan", "acgan", "projection", "matching_aware")
VARIANTS = (
    *("gan", "gan_r1", "minimax", "simultaneous", "dcgan", "lsgan", "wgan", "wgan_gp", "dragan", "hinge", "sngan"),
    *("relativistic", "r3gan", "infogan", "began", *CONDITIONAL),
)
WIDTHS = {
    "mlp": ("network.generator.hidden_dims=[8,8]", "network.discriminator.hidden_dims=[8]"),
    "dcgan": ("network.generator.base_channels=2", "network.discriminator.base_channels=2"),
    "resnet": ("network.generator.base_channels=2", "network.discriminator.base_channels=4"),
    "r3gan": tuple(
        f"network.{player}.{name}=2" for player in ("generator", "discriminator") for name in ("width", "group_width")
    ),
}
AXES = (VARIANTS, tuple(WIDTHS), (28, 32, 48, 64), (1, 3), (False, True))
STUCK = ("wgan", "r3gan")
"""Without normalization, weights below 0.01 leave G a gradient whose square is 0 in 32 bits."""
WHOLE = list(itertools.product(*AXES))
UNMOVED = ("head.linear.bias",)
"""A loss that compares logits has no slope in a number that is added to all of them."""


def pairwise(axes):
    """Combinations, greedily chosen, among which every pair of values of two axes occurs."""
    places = list(itertools.combinations(range(len(axes)), 2))
    missing = {(a, b, x, y) for a, b in places for x in axes[a] for y in axes[b]}
    chosen = []
    while missing:
        best = max(WHOLE, key=lambda row: sum((a, b, row[a], row[b]) in missing for a, b in places))
        missing -= {(a, b, best[a], best[b]) for a, b in places}
        chosen.append(best)
    return chosen


COVER = pairwise(AXES)


def test_no_variant_is_left_out():
    assert {path.stem for path in (PROJECT / "conf" / "model").glob("*.yaml")} == {*VARIANTS, "density_matching"}


def test_the_cover_has_every_pair():
    for a, b in itertools.combinations(range(len(AXES)), 2):
        assert {(row[a], row[b]) for row in COVER} == set(itertools.product(AXES[a], AXES[b]))
    assert len(COVER) < len(WHOLE) / 8


def refusal(variant, network, conditioned) -> str | None:
    if variant == "began":
        return "network=began"
    if variant in ("acgan", "matching_aware") and not conditioned:
        return "expected true"
    return "cannot divide by" if variant in ("sngan", "projection") and network == "r3gan" else None


def check(train, tmp_path, variant, network, size, channels, conditioned):
    options = (
        f"model={variant}",
        f"network={network}",
        *WIDTHS[network],
        f"data.image_shape=[{channels},{size},{size}]",
    )
    conditional = () if conditioned == (variant in CONDITIONAL) else (f"model.conditional={conditioned}",)
    fast = (
        "trainer=cpu",
        "callbacks.progress=null",
        "callbacks.samples=null",
        "callbacks.ema=null",
        "model.n_critic=1",
    )
    log = "+callbacks.still={_target_: helpers.StandingStill}"
    run = train("run", *options, *conditional, *fast, log, "data.batch_size=8", "data.limit=64", "trainer.max_steps=3")
    expected = refusal(variant, network, conditioned)
    if expected:
        assert run.code == 1
        assert expected in run.output
        return
    assert run.code == 0, run.output
    assert all(np.isfinite(value) for value in run.summary["final"].values())
    still = [line for line in run.output.splitlines() if line.startswith("stood still:")]
    assert len(still) == 1
    if (variant, network) != STUCK:
        # A G whose fakes win by tens of nats, as before D's first steps they may, has no slope.
        won = "generator." if abs(run.summary["final"]["loss/generator"]) < 1e-9 else "nothing"
        assert [n for n in still[0].split()[2:] if not n.endswith(UNMOVED) and not n.startswith(won)] == []
    out = tmp_path / "images.npz"
    generate([str(run.folder), "--num", "3", "--out", str(out)])
    images = np.load(out)["images"]
    assert images.shape == (3, channels, size, size)
    assert images.dtype == np.uint8
    weights = torch.load(run.folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert all(value.isfinite().all() for value in weights.values())


@pytest.mark.parametrize("row", COVER, ids=lambda row: "-".join(map(str, row)))
def test_pairs(train, tmp_path, row):
    check(train, tmp_path, *row)


@pytest.mark.slow
@pytest.mark.matrix
@pytest.mark.parametrize("row", [row for row in WHOLE if row not in COVER], ids=lambda row: "-".join(map(str, row)))
def test_whole(train, tmp_path, row):
    check(train, tmp_path, *row)


@pytest.mark.parametrize("conditioned", [False, True])
@pytest.mark.parametrize("network", ["autoencoder", "began"])
@pytest.mark.parametrize("variant", ["began", "wgan_gp"])
def test_autoencoders(train, variant, network, conditioned):
    widths = WIDTHS["mlp"] if network == "autoencoder" else WIDTHS["dcgan"]
    options = (f"network={network}", *widths, "trainer=cpu", "callbacks.progress=null", "callbacks.samples=null")
    run = train("run", f"model={variant}", *options, f"model.conditional={conditioned}", "trainer.max_steps=2")
    assert run.code == 0, run.output


@pytest.mark.parametrize("variant", ["infogan", "acgan"])
def test_a_second_head_needs_features(train, variant):
    run = train("run", f"model={variant}", "network=autoencoder", "trainer=cpu", "trainer.max_steps=2")
    assert run.code == 1
    assert "has no features for a second head" in run.output
