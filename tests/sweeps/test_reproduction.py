"""Published figures beside ours: the rule of the verdict, what counts as the protocol, the table of all."""

import functools
import json
import math

import pytest
import yaml
from scipy import stats

from gan_lightning.cli import results as command_line
from gan_lightning.config.check import check
from gan_lightning.config.instantiate import rebase_paths
from gan_lightning.config.options import conf_folder, options
from gan_lightning.sweeps import reproduction
from gan_lightning.sweeps.collect import find
from gan_lightning.sweeps.reproduction import Published, verdict
from tests.conftest import composed
from tests.models.composed import build_both
from tests.models.test_gan import trainer

NAMES = sorted(options("reproduce"))
SMALL = (
    *(
        "trainer=cpu",
        "callbacks.progress=null",
        "callbacks.samples.num=64",
        "data.batch_size=32",
        "trainer.max_steps=2",
    ),
    *("network.generator.hidden_dims=[8]", "network.discriminator.hidden_dims=[8]"),
)
"""A trial of two steps."""


# The rule


@pytest.mark.parametrize(
    ("figure", "results", "expected"),
    [
        (Published("m", 10.0, standard_error=0.5, trials=10), [], "in part: 0 of 3 seeds"),
        (Published("m", 10.0, standard_error=0.5, trials=10), [10.0, 10.0], "in part: 2 of 3 seeds"),
        (Published("m", 10.0, standard_error=0.5, trials=10), [11.0, 11.0, 11.0], "reproduced"),  # 2.26 * 0.5 = 1.13
        (Published("m", 10.0, standard_error=0.5, trials=10), [11.2, 11.2, 11.2], "not reproduced"),
        (Published("m", 10.0, standard_error=0.5, trials=10), [11.0, 11.2, 11.4], "reproduced"),  # 0.5 of ours
        (Published("m", 10.0), [10.1, 10.1, 10.1], "not reproduced"),
        (Published("m", 10.0, tolerance=0.5), [9.0, 10.5, 11.9], "reproduced"),
        (Published("m", 10.0, tolerance=0.5), [9.0, 11.0, 11.9], "not reproduced"),
        (Published("m", 10.0, standard_error=9.0, trials=10, tolerance=0.5), [9.0, 9.0, 9.0], "not reproduced"),
    ],
)
def test_the_verdict(figure, results, expected):
    assert verdict(figure, results, 3) == expected


def test_the_published_interval_is_students():
    expected = stats.t.interval(0.95, df=9, loc=0.0, scale=0.5)[1]
    assert Published("m", 10.0, standard_error=0.5, trials=10).half_width == pytest.approx(expected)
    assert Published("m", 10.0).half_width is None


# Runs


@functools.cache
def config_of(pack):
    config = check(composed("reproduce=pacgan_grid", f"model.pack={pack}", "seed=5"))
    return {key: value for key, value in config.items() if key != "reproduce"}


def run_of(place, seed, pack=1, status="finished", modes=17.0, **changed):
    """Writes a run folder as a job of the sweep leaves it; `changed` are values of one section, `trainer={...}`."""
    (place / ".hydra").mkdir(parents=True)
    config = rebase_paths(config_of(pack), "run", str(place)) | {"seed": seed}
    for section, values in changed.items():
        config[section] = config[section] | values
    summary = {"status": status, "step": 400_000, "seconds": 600.0, "final": {"metric/modes": modes}}
    (place / "config.yaml").write_text(yaml.safe_dump(config))
    (place / "summary.json").write_text(json.dumps(summary))
    (place / ".hydra" / "hydra.yaml").write_text("hydra: {runtime: {choices: {reproduce: pacgan_grid}}}")


@pytest.mark.slow
def test_the_table_of_all(monkeypatch, tmp_path, capsys):
    """Of two entries, since the composition of all takes seconds."""
    monkeypatch.setattr(reproduction, "options", lambda group: ["pacgan_grid", "pacgan_ring"])
    for seed, modes in enumerate((16.0, 17.0, 18.0)):
        run_of(tmp_path / f"gan_{seed}", seed, modes=modes)
    run_of(tmp_path / "trial", 0, modes=1.0, trainer={"max_steps": 20})
    run_of(tmp_path / "packed_0", 0, pack=4, modes=24.0)
    run_of(tmp_path / "packed_1", 1, pack=4, modes=3.0, status="interrupted")
    command_line.main(["--reproduce", str(tmp_path)])
    found = json.loads((tmp_path / "reproduction.json").read_text())["figures"]
    rows = {(row["name"], row["case"]): row for row in found if row["metric"] == "metric/modes"}
    gan, packed = rows["pacgan_grid", "model.pack=1"], rows["pacgan_grid", "model.pack=4"]
    assert (gan["ours"], gan["seeds"], gan["minutes"], gan["verdict"]) == (17.0, 3, 30.0, "reproduced")
    assert gan["half_width"] == pytest.approx(stats.t.ppf(0.975, 2) / math.sqrt(3))
    assert (packed["ours"], packed["verdict"]) == (24.0, "in part: 1 of 3 seeds")
    ring = rows["pacgan_ring", "model.pack=2"]
    assert (ring["ours"], ring["published"], ring["verdict"]) == (None, 7.9, "not run")
    line = next(line for line in capsys.readouterr().out.splitlines() if "pacgan_grid" in line)
    assert [cell.strip() for cell in line.split("|")[1:-1]] == [
        *("pacgan_grid", "model.pack=1", "modes", "17.3 ± 1.8", "17 ± 2.5", "3", "30", "reproduced"),
    ]


@pytest.fixture(scope="module")
def expected() -> dict:
    return reproduction.protocol("pacgan_grid", {"model.pack": "1"})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, ""),
        ({"trainer": {"accelerator": "cpu"}, "model": {"compile": True}, "callbacks": {"video": None}}, ""),
        ({"callbacks": {"samples": {"every_n_steps": 10}, "report": None}}, ""),  # the last batch is always measured
        ({"trainer": {"max_steps": 20}}, "changed: trainer.max_steps=20 (protocol: 400000)"),
        ({"callbacks": {"ema": {"decay": 0.9}}}, "changed: callbacks.ema.decay=0.9"),
        ({"callbacks": {"samples": None}}, "changed: callbacks.samples=null"),
        ({"data": {"std": 0.1, "extent": 3}}, "changed: data.extent=3 (protocol: 4), data.std=0.1 (protocol: null)"),
    ],
)
def test_another_protocol_is_told(expected, tmp_path, changed, said):
    run_of(tmp_path / "run", 0, **changed)
    assert reproduction.changes(find(tmp_path)[0], expected) == said


def test_a_key_that_is_newer_than_the_run_is_no_change(expected, tmp_path):
    run_of(tmp_path / "run", 0)
    assert reproduction.changes(find(tmp_path)[0], expected | {"model.newer": 1}) == ""


# The files


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_an_entry_is_complete(name):
    found = reproduction.entry(name)
    assert found.source
    assert found.seeds >= 1
    for figure in found.figures:
        assert figure.tolerance is not None or figure.half_width is not None, figure
        values = (f"{key}={value}" for key, value in figure.case.items())
        config = check(composed(f"reproduce={name}", *values, "seed=0"))
        assert config["objective"] in {one.metric for one in found.figures}
    own = yaml.safe_load((conf_folder() / "reproduce" / f"{name}.yaml").read_text())
    assert own["name"] == name
    swept = set(own.get("hydra", {}).get("sweeper", {}).get("params", {}))
    assert {key for figure in found.figures for key in figure.case} == swept - {"seed"}


TRIALS = {
    "pacgan_stacked_mnist": ("data.batch_size=8", "data.count=64"),
    "lucic_mnist": ("network.generator.base_channels=2", "network.discriminator.base_channels=2", "data.limit=64"),
    **dict.fromkeys(
        ("mimicry_sngan", "mimicry_wgan_gp", "mimicry_projection"),
        ("network.generator.channels=[4,4,4]", "network.discriminator.channels=[4,4,4,4]", "data=digits"),
    ),
    **dict.fromkeys(
        ("r3gan_cifar10", "r3gan_stacked_mnist"),
        (
            *(f"network.{player}.channels=[32,32]" for player in ("generator", "discriminator")),
            "model.schedules.ema.half_life=null",  # there is no EMA in this test
        ),
    ),
}
"""What makes an entry small."""


@pytest.mark.slow
@pytest.mark.parametrize("name", TRIALS)
def test_an_entry_trains(name, mnist_root):
    root = () if "data=digits" in TRIALS[name] else (f"data.root={mnist_root}", "data.download=false")
    data = ("data=digits", "data.image_shape=[3,32,32]") if "cifar" in name or "mimicry" in name else root
    small = (value for value in TRIALS[name] if value != "data=digits")
    model, module = build_both(f"reproduce={name}", "seed=0", "trainer=cpu", *data, *small, "data.batch_size=8")
    runner = trainer(max_steps=2 * model.n_critic)
    runner.fit(model, module)
    assert runner.global_step == 2 * model.n_critic


@pytest.mark.slow
def test_one_command_runs_it_and_a_trial_has_no_verdict(command, tmp_path):
    sweep = tmp_path / "sweep"
    outcome = command("unused", "reproduce=pacgan_ring", "seed=0", *SMALL, f"hydra.sweep.dir={sweep}")
    assert outcome.code == 0, outcome.output
    rows = json.loads((sweep / "reproduction.json").read_text())["figures"]
    assert {row["case"] for row in rows} == {"model.pack=1", "model.pack=2"}
    assert all(row["verdict"].startswith("changed: ") and row["ours"] is None for row in rows)
    assert "trainer.max_steps=2 (protocol: 400000)" in outcome.output
    assert "Published figures" in (sweep / "results.html").read_text()
    assert not any("reproduce" in yaml.safe_load(path.read_text()) for path in sweep.glob("*/config.yaml"))
