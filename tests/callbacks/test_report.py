"""The report of a run: what stands in it, that it is alone, and that it never loses the run."""

import base64
import hashlib
import io
import re
import shutil

import pytest
import yaml
from PIL import Image

from gan_lightning.callbacks import report
from gan_lightning.cli import evaluate
from gan_lightning.files import read_json
from tests.conftest import TINY
from tests.sweeps.test_hostile_runs import EVIL, Page, commands

REPORTED = (
    *(option for option in TINY if not option.startswith(("callbacks.samples", "callbacks.report"))),
    *("callbacks.samples.every_n_steps=4", "callbacks.samples.num=4", "trainer.max_steps=8"),
    *("trainer.log_every_n_steps=2", "data.batch_size=16"),
)


@pytest.fixture(scope="module")
def reported(trained):
    return trained(*REPORTED)


def again(folder) -> Page:
    """The report, written again."""
    report.write(folder, read_json(folder / "summary.json"), {"generate": "gan-generate it"})
    return Page(folder / report.NAME)


def test_what_stands_in_it(reported):
    page = Page(reported.folder / report.NAME)
    assert page.source.count("<figure") == 3  # the grids of the batches 0, 4 and 8
    assert [name for name, _ in page.attributes].count("hidden") == 3  # two of them, and the slider without its script
    assert ("max", "2") in page.attributes
    assert {"video", "img"} <= page.tags
    for text in ("gan-generate", "gan-evaluate", "trainer.max_steps=16", "finished", "batch 8, epoch 1", "torch"):
        assert text in page.text
    assert "report.html" in reported.output.split("look", 1)[1].splitlines()[0]


def test_what_differs_from_the_default_is_first(reported):
    page = Page(reported.folder / report.NAME)
    changed, _, rest = page.text.partition("the rest:")
    for key in ("data.batch_size", "network.generator.hidden_dims", "callbacks.samples.num", "trainer.max_steps"):
        assert key in changed
        assert key not in rest
    for key in ("data.image_shape", "model.generator_optimizer.lr", "seed"):
        assert key in rest
    for key in ("trainer.max_epochs", "model.generator.hidden_dims"):  # they follow from others
        assert key in rest
        assert key not in changed
    assert "run_dir" not in changed


def test_a_browser_runs_its_script_alone(reported):
    page = Page(reported.folder / report.NAME)
    assert all(value.startswith("data:") for name, value in page.attributes if name in ("src", "href"))
    (script,) = re.findall("<script>(.*?)</script>", page.source, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = [value for name, value in page.attributes if name == "content"]
    assert policy.startswith("default-src 'none'; ")
    assert f"script-src 'sha256-{digest}';" in policy
    assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "")


def test_an_evaluation_refreshes_it(reported, tmp_path):
    run = reported.copy(tmp_path / "run")
    evaluate.evaluate(run.folder, num=20, repeats=2, extractor="random")
    page = Page(run.folder / report.NAME)
    for text in ("fid ↓", "real data, 20 images", "Memorization: ", "At batch 8, ema weights"):
        assert text in page.text
    assert ("class", "nearest") in page.attributes
    assert "gan-evaluate" not in page.text
    (run.folder / report.NAME).unlink()  # as with callbacks.report=null
    evaluate.evaluate(run.folder, num=20, repeats=2, extractor="random")
    assert not (run.folder / report.NAME).exists()


def test_a_hostile_run_is_shown_as_it_is(reported, tmp_path):
    run = reported.copy(tmp_path / "run")
    config = yaml.safe_load((run.folder / "config.yaml").read_text())
    (run.folder / "config.yaml").write_text(yaml.safe_dump(config | {"name": EVIL, EVIL: EVIL}))
    page = again(run.folder)
    assert page.text.count("<script>alert(1)</script>") >= 3
    assert page.source.count("<script>") == 1
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert commands(page.source) == []


@pytest.mark.parametrize(
    "name", ["config.yaml", "samples/step_00000004.png", "samples/video.mp4", ".hydra/default.yaml"]
)
def test_only_files_of_the_run_enter(reported, tmp_path, name):
    run = reported.copy(tmp_path / "run")
    secret = tmp_path / "secret"
    shutil.move(run.folder / name, secret)
    (run.folder / name).symlink_to(secret)
    with pytest.raises(ValueError, match="is a link to a file outside of"):
        again(run.folder)


@pytest.mark.slow
def test_an_error_of_it_does_not_lose_the_run(train, monkeypatch):
    monkeypatch.setattr(report, "write", lambda *_: 1 / 0)
    with pytest.warns(UserWarning, match=r"report\.html is not written: ZeroDivisionError"):
        run = train("run", *REPORTED, "callbacks.samples=null")
    assert run.code == 0
    assert run.summary["status"] == "finished"


@pytest.mark.slow
def test_a_run_without_pictures_and_logs(train):
    run = train("run", *REPORTED, "callbacks.samples=null", "logger.tensorboard=null")
    page = Page(run.folder / report.NAME)
    assert page.tags.isdisjoint({"img", "video", "input"})
    assert "What next" in page.text


@pytest.mark.slow
def test_a_run_that_has_failed_says_so_and_where_to_go_on(train):
    raising = "+callbacks.kill={_target_: helpers.KillAt, step: 6, number: null}"
    run = train("run", *REPORTED, "callbacks.checkpoints.every_n_steps=4", raising)
    assert run.code == 1
    page = Page(run.folder / report.NAME)
    for text in ("failed", "FloatingPointError: cut off", "gan-train resume="):
        assert text in page.text
    assert "trainer.max_steps=12" not in page.text


def test_while_a_run_goes_on_there_is_no_report_of_an_earlier_session(reported, tmp_path, train):
    run = reported.copy(tmp_path / "run")
    raising = "+callbacks.kill={_target_: helpers.KillAt, step: 10, number: null}"
    on = train("run", f"resume={run.folder}", "trainer.max_steps=12", raising, "callbacks.report=null")
    assert on.summary["status"] == "failed"
    assert not (run.folder / report.NAME).exists()


def test_tall_grids_are_as_wide_as_others(reported, tmp_path):
    run = reported.copy(tmp_path / "run")
    for path in (run.folder / "samples").glob("step_*.png"):
        Image.new("RGB", (600, 1200)).save(path)
    sources = [value for name, value in again(run.folder).attributes if name == "src"]
    grids = [Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))) for source in sources[:3]]
    assert {grid.width for grid in grids} == {600}
