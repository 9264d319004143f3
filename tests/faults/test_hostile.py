"""Configuration files and run folders of somebody else; benchmarks/hostile.py has the long list."""

from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import gan_lightning
from gan_lightning.config.guard import guarded, is_trusted
from gan_lightning.config.options import conf_folder
from gan_lightning.config.places import require_places_inside
from gan_lightning.errors import UserError
from tests.conftest import TINY

SECRET = "HOSTILE_SECRET"


@pytest.fixture
def composed_with(tmp_path):
    """Composes with a file of another folder, experiment/evil.yaml, and acts on nothing."""

    def run(text: str, *typed: str):
        (tmp_path / "conf" / "experiment").mkdir(parents=True)
        (tmp_path / "conf" / "experiment" / "evil.yaml").write_text(f"# @package _global_\n{text}\n")
        search = f"hydra.searchpath=[file://{tmp_path}/conf]"
        with guarded(), initialize_config_dir(str(conf_folder()), version_base="1.3"):
            return compose("config", [search, "experiment=evil", *typed], return_hydra_config=True)

    return run


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hydra: {callbacks: {e: {_target_: os.system}}}", "hydra.callbacks.e._target_: only the command line"),
        ("hydra: {job: {env_set: {GAN_LIGHTNING_TRUST: os}}}", "hydra.job.env_set.GAN_LIGHTNING_TRUST: only"),
        ("hydra: {run: {dir: /tmp/x}}", "hydra.run.dir: only the command line"),
        ("e: {callbacks: {}}\nhydra: ${e}", "hydra: only the command line"),
        ("e: {_target_: os.system}\nhydra: {sweeper: {n_trials: '${e}'}}", "hydra.sweeper.n_trials: only"),
        ("hydra: {sweeper: {params: {_target_: os.system}}}", "hydra.sweeper.params._target_: only"),
        ("hydra: {sweeper: {params: {+hydra.run.dir: /tmp/x}}}", "hydra.sweeper.params.+hydra.run.dir: only"),
        ("hydra: {sweeper: {params: {resume: /tmp}}}", "hydra.sweeper.params.resume: only"),
        ("hydra: {sweeper: {n_trials: [{_target_: os.system}]}}", "hydra.sweeper.n_trials: only"),
        ("defaults: [/hydra/launcher@hydra.callbacks.e: basic]", "launcher=basic=hydra.callbacks.e: only the command"),
        ("defaults: [override /hydra/hydra_logging: hydra_debug]", "hydra_logging=hydra_debug: only the command line"),
        ("resume: /tmp", "resume: only the command line"),
        ("branch_from: /tmp", "branch_from: only the command line"),
        ("init_from: /tmp", "init_from: only the command line"),
        ("run_dir: /tmp", "run_dir: only the command line"),
        ("objective: ${oc.env:HOSTILE_SECRET}", "only the command line may read the environment"),
        ("defaults: [{/data: '${oc.env:HOSTILE_SECRET}'}]", "only the command line may read the environment"),
        ("e: env\nobjective: '${oc.${e}:HOSTILE_SECRET}'", "only the command line may read the environment"),
        ("a: &a [*a]", "stands inside of its own value"),
        ("a: !!python/object/apply:os.system [x]", "plain data"),
    ],
)
def test_a_file_from_elsewhere_is_refused(composed_with, text, message):
    with pytest.raises(UserError) as refused:
        composed_with(text)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_from_elsewhere_may_say_which_runs_a_sweep_has(composed_with):
    sweep = "{mode: MULTIRUN, sweeper: {params: {seed: '0,1', model.optimizer.lr: '1e-4,1e-3'}}}"
    hydra = composed_with(f"defaults: [override /hydra/launcher: basic]\nname: ${{seed}}\nhydra: {sweep}").hydra
    assert hydra.sweeper.params.seed == "0,1"


def test_a_folder_that_the_user_trusts(composed_with, tmp_path, monkeypatch):
    monkeypatch.setenv("GAN_LIGHTNING_TRUST", f"helpers,{tmp_path}/conf")
    assert composed_with("hydra: {job: {chdir: true}}").hydra.job.chdir


def test_a_package_is_trusted_by_its_name(monkeypatch):
    monkeypatch.setenv("GAN_LIGHTNING_TRUST", "helpers")
    packages = ("hydra.conf", "helpers/conf", "hydra_plugin.conf", "helpers_of_others.conf", "os")
    assert [name for name in packages if is_trusted(f"pkg://{name}")] == ["hydra.conf", "helpers/conf"]


def test_what_is_typed_is_the_users_own(composed_with, tmp_path):
    assert composed_with("seed: 3", "hydra.run.dir=/anywhere", "hydra.job.chdir=true").hydra.run.dir == "/anywhere"
    trust = "+hydra.job.env_set.GAN_LIGHTNING_TRUST=os"
    with pytest.raises(UserError, match="a configuration cannot trust itself"):
        gan_lightning.train([*TINY, "trainer.max_steps=1", f"hydra.run.dir={tmp_path}/run", trust])


def test_a_link_out_of_the_folder_of_configurations(composed_with, tmp_path):
    """Which file it is decides, and not the folder that it was found in."""
    (tmp_path / "evil.yaml").write_text("_target_: gan_lightning.models.GAN\nhydra: {job: {chdir: true}}\n")
    way = "../" * 20 + str(tmp_path / "evil").lstrip("/")
    with pytest.raises(UserError, match=r"evil\.yaml: hydra\.job\.chdir"):
        composed_with("seed: 1", f"model={way}")


def test_a_command_line_does_not_read_a_pickle(command, tmp_path):
    (tmp_path / "config.pickle").write_bytes(b"cos\nsystem\n(S'touch ran'\ntR.")
    for option in ("--experimental-rerun", "--exp"):
        outcome = command("run", f"{option}={tmp_path}/config.pickle")
        assert outcome.code == 1
        assert "it reads a pickle, which can run code" in outcome.output


# Run folders


@pytest.fixture
def stranger(trained, tmp_path):
    return trained(*TINY, "trainer.max_steps=2").copy(tmp_path / "stranger").folder


def change(folder: Path, section: str, values: dict) -> None:
    config = yaml.safe_load((folder / "config.yaml").read_text())
    config[section] = config[section] | values if isinstance(config[section], dict) else values[section]
    (folder / "config.yaml").write_text(yaml.safe_dump(config))


@pytest.mark.parametrize(
    ("section", "values", "message"),
    [
        ("objective", {"objective": "${oc.env:HOSTILE_SECRET}"}, "expected a value, as a run writes it"),
        (
            "logger",
            {"e": {"_target_": "lightning.pytorch.loggers.CSVLogger", "save_dir": "/tmp/x"}},
            "logger.e.save_dir",
        ),
        ("trainer", {"default_root_dir": "/tmp/x"}, "trainer.default_root_dir='/tmp/x': expected a place in"),
        ("run_dir", {"run_dir": ["x"]}, "run_dir=['x']: expected the path of the run folder"),
    ],
)
def test_a_resumed_folder_is_refused(train, stranger, monkeypatch, section, values, message):
    monkeypatch.setenv(SECRET, "5d0c1f")
    change(stranger, section, values)
    outcome = train("stranger", f"resume={stranger}", "trainer.max_steps=4")
    assert outcome.code == 1
    assert message in outcome.output
    assert outcome.checkpoint["global_step"] == 2
    assert not any(b"5d0c1f" in path.read_bytes() for path in stranger.rglob("*") if path.is_file())


@pytest.mark.parametrize(("name", "target"), [("samples", "private"), ("train.log", "private/new")])
def test_a_link_out_of_a_resumed_folder(train, stranger, tmp_path, name, target):
    (tmp_path / "private").mkdir()
    (stranger / name).unlink(missing_ok=True)
    (stranger / name).symlink_to(tmp_path / target)
    outcome = train("stranger", f"resume={stranger}", "trainer.max_steps=4")
    assert outcome.code == 1
    assert f"{name} is a link to {tmp_path}/{target}, outside of the run folder" in outcome.output
    assert not list((tmp_path / "private").iterdir())


def test_a_resumed_run_downloads_into_no_folder_that_only_its_configuration_names(stranger, tmp_path, monkeypatch):
    from gan_lightning.cli.resume import resumed_config

    monkeypatch.setenv("GAN_LIGHTNING_DATA", str(tmp_path / "data"))
    for root, typed, downloads in (("x", (), False), ("x", ("data.root=y",), True), ("data", (), True)):
        change(stranger, "data", {"root": str(tmp_path / root), "download": True})
        assert resumed_config(str(stranger), typed).data.download == downloads


@pytest.mark.parametrize(
    ("section", "values", "inside"),
    [
        ("callbacks", {"dirpath": "/elsewhere"}, False),
        ("callbacks", {"dirpath": "relative"}, False),
        *[("callbacks", {name: "relative"}, False) for name in ("log_dir", "dirs", "directory", "data_root", "folder")],
        *[("callbacks", {name: "relative"}, False) for name in ("paths", "log_file")],
        ("callbacks", {"filename": "../../x"}, False),
        ("callbacks", {"filename": "/elsewhere/x"}, False),
        ("callbacks", {"filename": "{epoch}"}, True),
        ("callbacks", {"deep": [{"csv_path": "relative"}]}, False),
        ("callbacks", {"weights": "/read/only.pth"}, True),
        ("logger", {"version": "$HOME"}, False),
        ("logger", {"tracking_uri": "s3://bucket"}, False),
        ("logger", {"tracking_uri": "file:x"}, False),
        ("logger", {"tracking_uri": "sqlite:////elsewhere/mlflow.db"}, False),
        ("logger", {"tracking_uri": "sqlite:///relative.db"}, False),
        ("logger", {"tracking_uri": "sqlite:///file:/elsewhere?uri=true"}, False),
        ("logger", {"name": "~/x"}, False),
        ("logger", {"sub_dir": "x"}, True),
        ("logger", {"name": "", "version": "csv"}, True),
        ("trainer", {"profiler": "simple"}, True),
        ("data", {"root": "/elsewhere"}, True),
        ("callbacks", {"folder": "/swept"}, False),
        ("callbacks", {"folder": "/typed"}, True),
        ("callbacks", {"typed": {"dirpath": "/typed"}}, True),
    ],
)
def test_places(tmp_path, section, values, inside):
    typed = {"/typed": "callbacks.e.folder=/typed", "/swept": "callbacks.e.folder=/swept"}.get(
        str(values.get("folder"))
    )
    lines = [*([typed] if typed else []), "+callbacks.e.typed={dirpath: /typed}", "logger=csv"]
    hydra = compose_hydra(lines, {"callbacks.e.folder": "/swept"} if typed and "/swept" in typed else {})
    config = {"run_dir": str(tmp_path), section: {"e": values | {"inside": f"{tmp_path}/x"}}}
    if inside:
        require_places_inside(config, hydra, resumed=False)
    else:
        with pytest.raises(UserError, match="expected a place in the run folder"):
            require_places_inside(config, hydra, resumed=False)


def test_places_in_files_of_the_users_own(tmp_path, monkeypatch):
    """They may name any place in a new run; a run folder may have come from elsewhere meanwhile."""
    monkeypatch.setenv("GAN_LIGHTNING_TRUST", "/conf")
    config = {"run_dir": str(tmp_path), "logger": {"e": {"save_dir": "/elsewhere"}}}
    require_places_inside(config, compose_hydra([], {}), resumed=False)
    with pytest.raises(UserError, match=r"logger\.e\.save_dir"):
        require_places_inside(config, compose_hydra([], {}), resumed=True)


def compose_hydra(lines, swept):
    runtime = {"config_sources": [{"schema": "pkg", "path": "hydra.conf"}, {"schema": "file", "path": "/conf"}]}
    return OmegaConf.create({"overrides": {"task": lines}, "sweeper": {"params": swept}, "runtime": runtime})
