"""The results of a sweep: what is first, what stands in the table without an objective, bars, links, commands."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from matplotlib.figure import Figure
from scipy import stats

from gan_lightning.cli.results import main
from gan_lightning.sweeps import plots, table
from gan_lightning.sweeps.best import best_of
from gan_lightning.sweeps.collect import compared, find
from gan_lightning.sweeps.table import grouped
from gan_lightning.training.continuation import continuation
from tests.sweeps.test_hostile_runs import Page, rows, run_folder, write

RATE = "model.optimizer.lr"


def sweep(folder, metric, results, **summary):
    """Runs with their results by learning rate, one per seed."""
    for rate, values in results.items():
        for seed, value in enumerate(values):
            run_folder(folder / f"lr={rate},seed={seed}", rate, seed=seed, final={metric: value}, **summary)
    return find(folder)


@pytest.mark.parametrize(
    ("metric", "settings", "runs"),
    [("metric/fid", ["0.1", "0.2", "0.3"], "1 2 3 4 5 6"), ("metric/recall", ["0.3", "0.2", "0.1"], "6 5 4 3 2 1")],
)
def test_the_best_is_first_among_settings_and_runs(tmp_path, capsys, metric, settings, runs):
    sweep(tmp_path, metric, {0.3: [6.0, 5.0], 0.1: [2.0, 1.0], 0.2: [3.0, 4.0]})
    run_folder(tmp_path / "a", 0.2, final={metric: 9.0}, status="failed")
    main([str(tmp_path), "--objective", metric])
    printed = capsys.readouterr().out
    assert re.findall(r"^(0\.\d) ", printed, re.MULTILINE) == settings
    assert [row["objective"] for row in rows(tmp_path).values()] == [*(f"{run}.0" for run in runs.split()), ""]
    page = Page(tmp_path / "results.html")
    listed = page.source.partition("Runs, best first")[2]
    assert re.findall(r"<td>finished</td><td>(\d)</td>", listed) == runs.split()
    assert listed.index("<td>failed</td>") > listed.rindex("<td>finished</td>")
    assert printed.count(f"best: {RATE}={settings[0]}, {metric} ") == 1


def test_without_an_objective_the_table_has_the_losses_and_says_how_to_set_one(tmp_path, capsys):
    for seed, loss in enumerate((0.5, 0.7)):
        final = {"score/real": 0.9, "loss/discriminator": loss, "metric/kid": 3.0}
        path = run_folder(tmp_path / f"seed={seed}", seed=seed, final=final)
        config = yaml.safe_load((path / "config.yaml").read_text())
        write(path / "config.yaml", yaml.safe_dump(config | {"objective": None}))
    main([str(tmp_path)])
    printed = capsys.readouterr().out
    head, row, *rest = printed.splitlines()
    assert head.split() == ["metric/kid", "loss/discriminator", "runs"]
    assert row.split() == ["3", "±", "0", "0.6", "±", "1.3", "2"]
    hint = table.unsorted(tmp_path, grouped(find(tmp_path), [], None))
    assert rest[0] == hint
    *options, name = shlex.split(hint)[-4:]
    assert (options[0], Path(options[1]).resolve(), *options[2:], name) == (
        *("gan-results", tmp_path.resolve(), "--objective", "metric/kid"),
    )
    assert "best:" not in printed
    page = Page(tmp_path / "results.html")
    for text in (hint, "loss/discriminator", "0.6 ± 1.3", "0.7"):
        assert text in page.text
    assert "The best setting" not in page.text


def test_runs_that_logged_no_loss_are_compared_by_what_they_logged(tmp_path):
    assert compared(sweep(tmp_path, "odd", {0.1: [1.0]}), None) == ["odd"]


def test_a_report_is_linked_if_it_exists_and_every_folder_is(tmp_path):
    sweep(tmp_path, "metric/fid", {0.1: [1.0, 2.0]})
    write(tmp_path / "lr=0.1,seed=0" / "report.html", "")
    main([str(tmp_path)])
    links = [value for name, value in Page(tmp_path / "results.html").attributes if name == "href"]
    assert links == ["lr%3D0.1%2Cseed%3D0/", "lr%3D0.1%2Cseed%3D0/report.html", "lr%3D0.1%2Cseed%3D1/"]


# Commands


def commands(runs):
    best = best_of(grouped(runs, [RATE], "metric/fid"), "metric/fid")
    return [shlex.split(command) for command in best.commands.values()]


def test_the_command_of_the_best_run_is_what_was_typed_and_another_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sweep(tmp_path, "metric/fid", {0.1: [3.0, 1.0], 0.2: [4.0, 5.0]})
    typed = [f"{RATE}=0.1", "model.optimizer.betas=[0.5,0.999]", "name=it's mine", "seed=1"]
    write(tmp_path / "lr=0.1,seed=1" / ".hydra" / "overrides.yaml", yaml.safe_dump(typed))
    again, longer = commands(find(tmp_path))
    assert again == ["python", "train.py", *typed]
    assert longer[:2] == ["python", "train.py"]
    resume, length = OverridesParser.create().parse_overrides(longer[2:])
    assert (resume.key_or_group, resume.value()) == ("resume", "lr=0.1,seed=1")
    assert (length.key_or_group, length.value()) == ("trainer.max_steps", 20)


def test_a_run_with_a_length_in_images_gets_more_images():
    assert (
        continuation(Path("run"), {"trainer": {"max_images": 100}}, {"status": "finished", "step": 3})[1]
        == "trainer.max_images=200"
    )


def test_a_file_that_says_what_a_sweep_is_starts_no_sweep_again(tmp_path):
    runtime = {
        "choices": {"sweep": "lr_betas"},
        "config_sources": [
            "odd",
            {"provider": "main", "path": "conf"},
            {"provider": "command-line", "path": "own conf"},
        ],
    }
    run = run_folder(tmp_path / "run", overrides=("sweep=lr_betas",))
    write(run / ".hydra" / "hydra.yaml", yaml.safe_dump({"hydra": {"runtime": runtime}}))
    again, _ = commands(find(tmp_path))
    assert again[2:] == ["--config-dir", "own conf", f"{RATE}=0.0001", "sweep=lr_betas", "hydra.mode=RUN"]


# Plots


def drawn(monkeypatch, plot, groups):
    """The axes of a plot, instead of its PNG."""
    found = []
    monkeypatch.setattr(plots, "png", lambda draws, **_: found.extend(draws) or b"")
    plot(groups, "metric/fid")
    axes = Figure().add_subplot()
    found[0](axes)
    return axes


def test_bars_are_the_confidence_interval_over_seeds(monkeypatch, tmp_path):
    runs = sweep(tmp_path, "metric/fid", {0.1: [1.0, 2.0, 4.0], 0.2: [7.0]})
    axes = drawn(monkeypatch, plots.landscape, grouped(runs, [RATE], "metric/fid"))
    (container,) = axes.containers
    several, single = container.lines[2][0].get_segments()
    assert several[:, 1] == pytest.approx(stats.t.interval(0.95, 2, 7 / 3, stats.sem([1.0, 2.0, 4.0])))
    assert single.size == 0


def test_values_that_are_no_numbers_have_a_place_each(monkeypatch, tmp_path):
    runs = sweep(tmp_path, "metric/fid", {"fast": [1.0], "slow": [2.0]})
    axes = drawn(monkeypatch, plots.landscape, grouped(runs, [RATE], "metric/fid"))
    assert [label.get_text() for label in axes.get_xticklabels()] == ["fast", "slow"]


def test_a_legend_names_keys(monkeypatch, tmp_path):
    for rate in (0.1, 0.2):
        write(run_folder(tmp_path / f"{rate}", rate) / "csv" / "metrics.csv", "step,metric/fid\n1,2\n")
    axes = drawn(monkeypatch, plots.curves, grouped(find(tmp_path), [RATE], "metric/fid"))
    assert axes.get_legend_handles_labels()[1] == [f"{RATE}=0.1", f"{RATE}=0.2"]
