"""Variant x network x size x channels x labels x loss x phases x penalties: all of it trains, or says why not.

The variants and parts are read from `conf/`. The default suite takes a few rows of a cover of all pairs of values;
`python -m pytest -m slow` takes the cover, and every variant with every network, size and number of channels.
"""

import itertools
from functools import cache

import pytest
import torch
import yaml

from gan_lightning.errors import UserError
from tests.conftest import PROJECT
from tests.models.composed import build_both, composed
from tests.models.test_gan import trainer

CONF = PROJECT / "conf" / "model"
WIDTHS = {
    "mlp": ("network.generator.hidden_dims=[8,8]", "network.discriminator.hidden_dims=[8]"),
    "dcgan": ("network.generator.base_channels=2", "network.discriminator.base_channels=2"),
    "resnet": ("network.generator.base_channels=2", "network.discriminator.base_channels=4"),
    "r3gan": tuple(
        f"network.{player}.{name}=2"
        for player in ("generator", "discriminator")
        for name in ("base_channels", "group_width")
    ),
    "biggan": ("network.generator.base_channels=2", "network.discriminator.base_channels=2"),
    "stylegan2": (
        *("network.generator.base_channels=2", "network.discriminator.base_channels=2"),
        *("network.generator.w_dim=8", "network.discriminator.minibatch_std.group_size=2"),
    ),
}
ONE_SIZE = ("biggan", "contragan", "feature_matching", "reacgan", "san", "stylegan2", "zcr")
"""Networks and variants that have every size and number of channels in the cover alone."""
NEEDS_NUMBERS = ("density_matching",)
"""Its data are numbers; tests/models/test_variants.py trains it."""


def options(folder) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("*.yaml")))


VARIANTS = tuple(name for name in options(CONF) if name not in NEEDS_NUMBERS)
OWN = None
"""The variant's own choice."""
AXES = (
    VARIANTS,
    tuple(WIDTHS),
    (28, 32, 48, 64),
    (1, 3),
    (False, True),
    (OWN, *options(CONF / "loss")),
    (OWN, *options(CONF / "phases")),
    (OWN, *options(CONF / "penalties"), "[r1,r2]"),
)
PLAIN = [
    row
    for row in itertools.product(*AXES[:5], (OWN,), (OWN,), (OWN,))
    if not set(ONE_SIZE).intersection(row) or row[2:4] == (32, 3)
]
STUCK = (("wgan", "r3gan"), ("wgan", "biggan"), ("wgan", "stylegan2"))
"""Without normalization, behind a gamma that begins at 0, or times 1 / sqrt(fan in), D's weights below 0.01 leave
weights of G a gradient whose square is 0 in 32 bits."""
GENERATOR_BATCHES = ("model.generator_batch_size", "data.generator_real_batch_size")
UNMOVED = ("head.linear.bias",)
"""A loss that compares logits has no slope in a number that is added to all of them."""


def pairs(row):
    """The pairs of values of two axes that occur in a row."""
    return {(a, b, row[a], row[b]) for a, b in itertools.combinations(range(len(AXES)), 2)}


def pairwise():
    """Rows among which every pair of values of two axes occurs: each starts with a missing pair and adds the most."""
    places = itertools.combinations(range(len(AXES)), 2)
    missing = dict.fromkeys((a, b, x, y) for a, b in places for x in AXES[a] for y in AXES[b])  # in a fixed order
    chosen = []
    while missing:
        a, b, x, y = next(iter(missing))
        row = {a: x, b: y}
        for axis in (axis for axis in range(len(AXES)) if axis not in row):
            row[axis] = max(
                AXES[axis],
                key=lambda value, axis=axis: sum(
                    ((other, axis, row[other], value) if other < axis else (axis, other, value, row[other])) in missing
                    for other in row
                ),
            )
        chosen.append(tuple(row[axis] for axis in range(len(AXES))))
        for pair in pairs(chosen[-1]):
            missing.pop(pair, None)
    return chosen


COVER = pairwise()
FEW = COVER[:: len(COVER) // 10]


def test_the_cover_has_every_pair():
    for a, b in itertools.combinations(range(len(AXES)), 2):
        assert {(row[a], row[b]) for row in COVER} == set(itertools.product(AXES[a], AXES[b]))
    assert len(COVER) < 300
    assert len(FEW) <= 12


@cache
def of_variant(variant):
    """The configuration of a variant as it stands."""
    return composed(f"model={variant}", "trainer=cpu")["model"]


def expected_refusals(variant, network, conditioned, loss, size=32) -> list[str]:
    loss = loss or of_variant(variant)["loss"]["_target_"].rpartition(".")[2]
    reasons = []
    if loss in ("boundary_equilibrium", "BoundaryEquilibrium"):
        reasons.append("network=began")
    if variant in ("acgan", "contragan", "matching_aware", "reacgan") and not conditioned:
        reasons.append("expected true")
    if variant in ("sngan", "projection", "biggan") and network == "r3gan":
        reasons.append("cannot divide by")
    if variant == "zcr" and network == "stylegan2":
        reasons.append("draws noise and second latents of its own")
    if variant == "feature_matching" and loss in ("top_k", "TopK"):
        reasons.append("TopK chooses the samples of G's term")
    if variant in ("sngan", "projection", "biggan") and network == "stylegan2":
        reasons.append("has an equalized learning rate")
    if network == "stylegan2" and size & (size - 1):
        reasons.append("is no square of a power of two from 16 on")
    if variant == "matching_aware" and loss.startswith(("relativistic", "boundary")):
        reasons.append("no term of fake samples alone")
    if variant == "san" and loss.startswith("relativistic"):
        reasons.append("no terms of real and of fake samples alone")
    return reasons


def check(variant, network, size, channels, conditioned, loss, phases, penalties):
    chosen = (("loss", loss), ("phases", phases), ("penalties", penalties))
    overrides = (
        *(f"model={variant}", f"network={network}", *WIDTHS[network]),
        *("trainer=cpu", f"data.image_shape=[{channels},{size},{size}]", "data.batch_size=8", "data.limit=64"),
        *(f"model/{group}={name}" for group, name in chosen if name is not OWN),
        *(() if conditioned == of_variant(variant)["conditional"] else (f"model.conditional={conditioned}",)),
        "model.n_critic=1",
        *(("model.phases.critic_steps=1",) if phases == "critic_warmup" else ()),  # G would not move in so few batches
        # A recipe's batches of G fit its own loss and phases alone; tests/models/test_generator_batch.py has refusals.
        *(() if loss is phases is OWN else (f"{key}=null" for key in GENERATOR_BATCHES)),
    )
    reasons = expected_refusals(variant, network, conditioned, loss, size)
    torch.manual_seed(0)
    if reasons:
        with pytest.raises(UserError) as caught:
            build_both(*overrides)
        assert any(reason in str(caught.value) for reason in reasons)
        return
    model, data = build_both(*overrides)
    start = {name: p.detach().clone() for name, p in model.named_parameters()}
    outputs = []
    model.on_train_batch_end = lambda output, *_: outputs.append(output)
    trainer(3).fit(model, data)
    final = outputs[-1]["terms"]
    assert all(term.isfinite() for terms in final.values() for term in terms.values())
    assert all(value.isfinite().all() for value in model.state_dict().values())
    if (variant, network) not in STUCK:
        # A G whose fakes win by tens of nats, as before D's first steps they may, has no slope.
        won = "generator." if abs(sum(final["generator"].values()).item()) < 1e-9 else "nothing"
        still = [name for name, p in model.named_parameters() if torch.equal(p, start[name])]
        assert [name for name in still if not name.endswith(UNMOVED) and not name.startswith(won)] == []
    assert model.sample(3, label=0 if conditioned else None).shape == (3, channels, size, size)


def name_of(row) -> str:
    return "-".join(str(value) for value in row if value is not OWN)


@pytest.mark.parametrize("row", FEW, ids=name_of)
def test_a_few(row):
    check(*row)


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in COVER if row not in FEW], ids=name_of)
def test_pairs(row):
    check(*row)


@pytest.mark.slow
@pytest.mark.parametrize("row", PLAIN, ids=name_of)
def test_every_variant_with_every_network(row):
    check(*row)


@pytest.mark.parametrize("conditioned", [False, True])
@pytest.mark.parametrize("network", ["autoencoder", "began"])
@pytest.mark.parametrize("variant", ["began", "wgan_gp"])
def test_autoencoders(variant, network, conditioned):
    widths = WIDTHS["mlp"] if network == "autoencoder" else WIDTHS["dcgan"]
    small = ("trainer=cpu", f"network={network}", *widths, "data.batch_size=8", "data.limit=64")
    model, data = build_both(f"model={variant}", *small, f"model.conditional={conditioned}")
    runner = trainer(2)
    runner.fit(model, data)
    assert runner.global_step == 2


@pytest.mark.parametrize("variant", ["infogan", "acgan"])
def test_a_second_head_needs_features(variant):
    with pytest.raises(UserError, match="has no features for a second head"):
        build_both(f"model={variant}", "network=autoencoder", "trainer=cpu")


def test_what_is_left_out_needs_data_of_its_own():
    for name in NEEDS_NUMBERS:
        assert "${data.mean}" in yaml.safe_load((CONF / f"{name}.yaml").read_text()).values()
