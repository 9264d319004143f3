"""The files of a run folder: damaged ones, and those that a refused run leaves alone."""

import contextlib
import logging
import os

import pytest

from gan_lightning.errors import UserError
from gan_lightning.sweeps import collect
from gan_lightning.training.run_folder import RunFolder
from tests.conftest import TINY

SHORT = (*TINY, "trainer.max_steps=2")
DAMAGED = {
    "empty": b"",
    "a list": b"[]",
    "no UTF-8": b"\xff\xfe{}",
    "cut off": b'{"status": "fin',
    "too deep": b"[" * 100_000,
    "ill-typed": b'{"status": 3}',
    "a text as a metric": b'{"final": {"loss/generator": "low"}}',
    "ended without metrics": b'{"status": "finished", "step": 2}',
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_summary_is_told_and_a_run_does_without(tmp_path, content, caplog):
    folder = RunFolder(tmp_path)
    assert folder.read_summary() == {}
    folder.summary.write_bytes(content)
    with pytest.raises(UserError, match=r"summary\.json is damaged: ") as told:
        folder.read_summary()
    assert "\n" not in str(told.value)
    with caplog.at_level(logging.WARNING):
        assert folder.known_summary() == {}
    assert "summary.json is damaged" in caplog.text


@pytest.mark.parametrize("content", [b"", b"a: [", b"\xff", b"seed: 0"])
def test_a_damaged_configuration_is_told(tmp_path, content):
    folder = RunFolder(tmp_path)
    folder.config.write_bytes(content)
    with pytest.raises(UserError, match=r"config\.yaml") as told:
        folder.read_config()
    assert "\n" not in str(told.value)


def test_a_run_with_a_damaged_summary_goes_on(train, trained, tmp_path):
    run = trained(*SHORT).copy(tmp_path / "run")
    (run.folder / "summary.json").write_bytes(b"")
    again = train("run", f"resume={run.folder}")
    assert again.code == 0, again.output
    assert again.summary["final"] == trained(*SHORT).summary["final"]


def contents(folder) -> dict[str, bytes]:
    paths = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_a_refused_run_leaves_every_file_as_it_was(command, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(RunFolder, "PATIENCE", 0.1)
    run = trained(*SHORT).copy(tmp_path / "run")
    before = contents(run.folder)
    assert {".hydra/config.yaml", ".hydra/hydra.yaml", ".hydra/overrides.yaml"} <= before.keys()
    for refused in ("seed=5", "seed=x", "data.batch_size=5000"):
        assert command("run", *SHORT, refused).code == 1
    with RunFolder(run.folder).locked():
        assert "is in use" in command("run", *SHORT, "seed=5").output
    assert contents(run.folder) == before


@pytest.mark.parametrize("spared", range(4))
def test_the_origin_is_of_the_configuration_that_is_there(tmp_path, monkeypatch, spared):
    """Another run begins in a folder, and is cut off before one of its files has its name."""
    folder = RunFolder(tmp_path)
    names = ("overrides.yaml", "hydra.yaml")
    folder.write_config({"run_dir": "old"}, dict.fromkeys(names, "old"))
    real, left = os.replace, iter(range(spared))

    def cut_off(*paths):
        if next(left, None) is None:
            raise KeyboardInterrupt
        real(*paths)

    monkeypatch.setattr(os, "replace", cut_off)
    with contextlib.suppress(KeyboardInterrupt):
        folder.write_config({"run_dir": "new"}, dict.fromkeys(names, "new"))
    assert folder.config.exists() == (spared > 2)
    if folder.config.exists():
        assert [(tmp_path / ".hydra" / name).read_text() for name in names] == ["new", "new"]
        assert folder.read_config() == {"run_dir": "new"}


@pytest.mark.slow
def test_a_refused_job_is_labelled_by_its_own_values(command, tmp_path):
    """A job that cannot start, and one whose folder another run has."""
    sweep = tmp_path / "sweep"
    options = ("-m", *SHORT, "model.n_critic=1,0", f"hydra.sweep.dir={sweep}")
    assert command("unused", *options).code == 1
    refused, there = collect.find(sweep)
    assert (refused.status, refused.overrides["model.n_critic"], refused.value("model.n_critic")) == ("refused", "0", 0)
    assert command("unused", *options, "model=hinge").code == 1
    refused, there = collect.find(sweep)
    assert refused.value("model") == "hinge"
    assert there.status == "finished"
    assert "a later start in its folder was refused" in there.reason
    assert (there.value("model"), there.overrides.get("model")) == ("gan_r1", None)
