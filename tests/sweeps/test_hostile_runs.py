"""Results of run folders that are damaged, or that a stranger has made."""

import base64
import csv
import io
import json
import math
import os
import re
import struct
import zlib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from gan_lightning.cli.results import main
from gan_lightning.evaluation import report

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\x1b[2J\x9b31m\u202e$\\frac{$ {{7*7}}"
PICTURE = "samples/step_00000010.png"
HARMLESS = set(re.findall(r"\w+", "html head meta title style body h1 h2 p pre a table tr th td img figure figcaption"))
METRIC = {"value": 1.0, "std": None, "baseline": None, "baseline_std": None, "better": "min"}
REPORT = {"metrics": {}, "protocol": {}, "baseline": None, "checkpoint": {"step": 1}, "weights": "raw"}
"""An evaluation report, and a metric of one."""
EVENTS = "tensorboard/events.out.tfevents.1.host.1.0"


def run_folder(
    folder: Path, rate: object = 1e-4, overrides: tuple[str, ...] = (), seed: int = 0, **summary: object
) -> Path:
    """A run folder of the files that the results read, without training."""
    account = {"status": "finished", "step": 10, "seconds": 1.5, "final": {"metric/fid": 3.0}} | summary
    config = {"run_dir": str(folder), "seed": seed, "objective": "metric/fid", "model": {"optimizer": {"lr": rate}}}
    typed = [f"model.optimizer.lr={rate}", *overrides]
    for name, text in (
        ("summary.json", json.dumps(account)),
        ("config.yaml", yaml.safe_dump(config)),
        (".hydra/overrides.yaml", yaml.safe_dump(typed)),
    ):
        write(folder / name, text)
    write(folder / PICTURE, b"")
    Image.new("RGB", (20, 20), "red").save(folder / PICTURE)
    return folder


def write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def pipe(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def link(path: Path, place: Path | str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(place)


def bomb(path: Path) -> None:
    """A whole PNG of 12 kB, of 10,000 x 10,000 pixels: beyond Pillow's limit, where it warns, and below twice of it."""
    parts = (
        (b"IHDR", struct.pack(">IIBBBBB", 10_000, 10_000, 1, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes(10_000 * 1251))),
        (b"IEND", b""),
    )
    chunks = (struct.pack(">I", len(d)) + name + d + struct.pack(">I", zlib.crc32(name + d)) for name, d in parts)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))


def rows(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "results.csv").open(newline="") as lines:
        return {row["run"]: row for row in csv.DictReader(lines)}


class Page(HTMLParser):
    """The elements and attributes of a page, and its text."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags, self.attributes, self.texts = set(), [], []
        self.source = path.read_text()
        self.feed(self.source)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self) -> str:
        return "".join(self.texts)


def commands(text: str) -> list[str]:
    """What a terminal or a browser would obey."""
    return [c for c in text if (ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or 0x202A <= ord(c) <= 0x202E]


def test_hostile_texts_are_shown_as_they_are(tmp_path, capsys):
    evil = EVIL.replace("/", "")
    run_folder(tmp_path / evil, EVIL, (f"{EVIL}=1",), status=EVIL, final={"metric/fid": 1.0, EVIL: 2.0})
    run_folder(tmp_path / "failed", status="failed", reason=EVIL)
    run_folder(tmp_path / "good", 2e-4)
    run_folder(tmp_path / "javascript:alert(1)")
    write(tmp_path / evil / "report.html", "")
    main([str(tmp_path)])
    page = Page(tmp_path / "results.html")
    assert page.tags <= HARMLESS
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert all(value.startswith("data:image/png;base64,") for name, value in page.attributes if name == "src")
    links = [unquote(value) for name, value in page.attributes if name == "href"]
    assert sorted(links) == sorted([f"{evil}/", f"{evil}/report.html", "failed/", "good/", "javascript:alert(1)/"])
    assert not any(urlsplit(value).scheme for name, value in page.attributes if name == "href")
    policies = [value for name, value in page.attributes if name == "content"]
    assert len(policies) == 1
    assert policies[0].startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'")
    assert page.text.count("<script>alert(1)</script>") >= 4  # the status, the reason, the label, the name of a key
    assert "{{7*7}}" in page.text
    assert commands(page.source) == commands(capsys.readouterr().out) == []


def test_cells_of_a_spreadsheet_are_no_formulas(tmp_path):
    formulas = {f"{first}sum": 1.0 for first in "=+-@\t\r\n\uff1d\uff0b\uff0d\uff20"}  # the last four are wide
    run_folder(tmp_path / "=HYPERLINK(1)", "-1", final={"metric/fid": -2.5} | formulas)
    run_folder(tmp_path / "failed", "+cmd|' /C calc'!A1", status="failed", reason="\t=1+1")
    main([str(tmp_path)])
    found = rows(tmp_path)
    assert set(found) == {"'=HYPERLINK(1)", "failed"}
    assert found["'=HYPERLINK(1)"]["model.optimizer.lr"] == "-1"
    assert found["'=HYPERLINK(1)"]["metric/fid"] == "-2.5"
    assert [found["'=HYPERLINK(1)"][f"'{name}"] for name in formulas] == ["1.0"] * 11
    assert found["failed"]["model.optimizer.lr"] == "'+cmd|' /C calc'!A1"
    assert found["failed"]["reason"] == "'\t=1+1"


BROKEN = {
    "summary.json": lambda run: write(run / "summary.json", '{"status": "fini'),
    "summary of another type": lambda run: write(run / "summary.json", "[]"),
    "summary nested": lambda run: write(run / "summary.json", "[" * 100_000),
    "step": lambda run: run_folder(run, step="ten"),
    "images_seen": lambda run: run_folder(run, images_seen="many"),
    "objective": lambda run: run_folder(run, objective="low"),
    "seconds": lambda run: run_folder(run, seconds=1e50),
    "final": lambda run: run_folder(run, final={"metric/fid": "low"}),
    "status": lambda run: run_folder(run, status=["finished"]),
    "refused.json": lambda run: write(run / "refused.json", "no JSON"),
    "reason": lambda run: write(run / "refused.json", '{"status": "refused", "reason": {}}'),
    "config.yaml": lambda run: write(run / "config.yaml", "seed: ["),
    "config of another type": lambda run: write(run / "config.yaml", "[seed]"),
    "seed": lambda run: write(run / "config.yaml", "seed: [1]"),
    "schedules": lambda run: write(run / "config.yaml", f"run_dir: {run}\nmodel: {{schedules: [lr]}}"),
    "cycle": lambda run: write(run / "config.yaml", "seed: 0\nmodel: {optimizer: {lr: &x [*x]}}"),
    "overrides": lambda run: write(run / ".hydra/overrides.yaml", "[1, 2]"),
    "choices of a refused run": lambda run: (
        (run / "config.yaml").unlink(),
        write(run / "refused.json", '{"status": "refused", "reason": "x", "choices": [1]}'),
    ),
    "choices": lambda run: write(run / ".hydra/hydra.yaml", "hydra: {runtime: {choices: [1]}}"),
    "csv": lambda run: write(run / "csv/metrics.csv", "step,metric/fid\n1,low\n"),
    "csv columns": lambda run: write(run / "csv/metrics.csv", "step,metric/fid\n1,2,3,4\n"),
    "no UTF-8": lambda run: write(run / "csv/metrics.csv", bytes(range(256))),
    "pipe": lambda run: pipe(run / "summary.json"),
    "events are a pipe": lambda run: pipe(run / EVENTS),
    "events are a folder": lambda run: (run / EVENTS).mkdir(parents=True),
    "linked": lambda run: link(run / "config.yaml", "/etc/hostname"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_run_is_listed_and_the_others_are_as_ever(tmp_path, monkeypatch, capsys, kind):
    monkeypatch.setattr("gan_lightning.sweeps.page.write", lambda *_: None)  # a second each
    run_folder(tmp_path / "good")
    BROKEN[kind](run_folder(tmp_path / "broken", 2e-4))
    main([str(tmp_path)])
    found = rows(tmp_path)
    assert (found["good"]["status"], found["good"]["objective"]) == ("finished", "3.0")
    assert found["broken"]["status"] == "unreadable"
    assert found["broken"]["reason"]
    assert "broken: unreadable, " in capsys.readouterr().out


@pytest.mark.parametrize(
    "make", [link, lambda path, _: pipe(path), lambda path, _: path.mkdir()], ids=["link", "pipe", "folder"]
)
def test_a_lock_that_is_no_file_is_left_alone(tmp_path, make):
    """A process that trains would hold the lock: the run has died. What a link leads to is not opened to write."""
    secret = tmp_path / "secret"
    secret.write_text("private")
    make(run_folder(tmp_path / "runs" / "broken", status="running") / ".lock", secret)
    run_folder(tmp_path / "runs" / "good")
    main([str(tmp_path / "runs")])
    found = rows(tmp_path / "runs")
    assert {name: row["status"] for name, row in found.items()} == {"broken": "died", "good": "finished"}
    assert secret.read_text() == "private"


def test_events_of_a_killed_run_are_read_as_far_as_they_go(tmp_path):
    write(run_folder(tmp_path / "run") / EVENTS, b"\x18\x00\x00\x00\x00\x00\x00\x00torn")
    write(run_folder(tmp_path / "csv") / "csv/metrics.csv", "metric/fid,step\n1.5,2\n0.5")
    main([str(tmp_path)])
    assert {row["status"] for row in rows(tmp_path).values()} == {"finished"}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda path, secret: link(path, secret), "is a link to a file outside of"),
        (lambda path, _: pipe(path), "is no regular file"),
        (lambda path, _: write(path, b"\x89PNG\r\n\x1a\n<script>"), "is no PNG picture"),
        (lambda path, _: Image.new("RGB", (9, 9)).save(path, format="jpeg"), "is no PNG picture"),
        (lambda path, _: write(path, path.read_bytes()[:60]), "is no PNG picture"),
        (lambda path, _: bomb(path), "is no PNG picture"),
    ],
    ids=["link", "pipe", "text", "jpeg", "torn", "bomb"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")  # as outside of the tests
def test_only_pictures_of_the_run_enter_the_page(tmp_path, make, message):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (7, 7), "blue").save(secret)
    run = run_folder(tmp_path / "runs" / "one")
    make(run / PICTURE, secret)
    main([str(tmp_path / "runs")])
    page = Page(tmp_path / "runs" / "results.html")
    assert message in page.text
    assert "grid" not in [value for name, value in page.attributes if name == "class"]


def test_the_page_has_the_pixels_of_a_picture_and_nothing_else(tmp_path):
    run = run_folder(tmp_path / "run")
    private = PngInfo()
    private.add_text("comment", "private")
    Image.new("RGB", (3000, 20), "red").save(run / PICTURE, pnginfo=private, icc_profile=b"private")
    (run / PICTURE).write_bytes((run / PICTURE).read_bytes() + b"<script>")
    main([str(tmp_path)])
    page = Page(tmp_path / "results.html")
    assert ("class", "grid") in page.attributes
    (source,) = [value for name, value in page.attributes if name == "src"]
    content = base64.b64decode(source.partition(",")[2])
    assert b"private" not in content
    assert b"<script>" not in content
    with Image.open(io.BytesIO(content)) as picture:
        assert picture.width == 256
        assert not picture.info
        assert picture.getpixel((3, 1)) == (255, 0, 0)


@pytest.mark.parametrize(
    "change",
    [
        {"metrics": []},
        {"metrics": {"fid": {"value": "low"}}},
        {"metrics": {"fid": METRIC | {"value": math.nan}}},
        {"metrics": {"fid": METRIC | {"better": "most"}}},
        {"metrics": {"fid": METRIC | {"value": 10**400}}},
        {"protocol": 5},
        {"baseline": {"images": "many"}},
        {"checkpoint": {"step": "ten"}},
        {"weights": None},
    ],
)
def test_broken_evaluation_reports_are_refused(tmp_path, change):
    write(tmp_path / "whole.json", json.dumps(REPORT))
    write(tmp_path / "x.json", json.dumps(REPORT | change))
    report.comparison([str(tmp_path / "whole.json")])
    with pytest.raises(ValueError, match="is not an evaluation report"):
        report.comparison([str(tmp_path / "whole.json"), str(tmp_path / "x.json")])


def test_a_report_that_is_a_link_to_another_place_is_refused(tmp_path):
    write(tmp_path / "whole.json", json.dumps(REPORT))
    (tmp_path / "run").mkdir()
    link(tmp_path / "run" / "evaluation.json", tmp_path / "whole.json")
    with pytest.raises(ValueError, match="is not an evaluation report"):
        report.comparison([str(tmp_path / "run")])


def test_a_report_cannot_command_the_terminal(tmp_path):
    write(tmp_path / "x.json", json.dumps(REPORT | {"metrics": {EVIL: METRIC}, "weights": EVIL}))
    assert commands(report.comparison([str(tmp_path / "x.json")])) == []
