"""The options that `conf/` offers, without Hydra."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from gan_lightning.config.options import BEGIN_WITH, conf_folder, options, overview
from gan_lightning.errors import UserError


def test_each_option_comes_with_its_first_comment():
    models = options("model")
    assert list(models) == sorted(models)
    assert models["acgan"].startswith("Auxiliary-classifier GAN: Odena et al. 2017")
    assert options("augment")["diffaugment"].startswith("DiffAugment: Zhao et al. 2020")  # the line after `# @package`
    assert set(options("model/optimizer")) == {"adam", "rmsprop", "sgd"}


def test_the_overview_has_a_line_for_every_option_and_marks_what_is_chosen(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "mine.yaml").write_text("# My model, \x1b[31mred.\n")
    text = overview({"model": "gan_r1", "network/join": "concat"}, [tmp_path])
    lines = [line.split(maxsplit=1) for line in text.splitlines()]
    folder = conf_folder()
    for file in folder.rglob("*/[!_]*.yaml"):
        assert [line for line in lines if line and line[0].rstrip("*") == file.stem and len(line) == 2], file
    assert [line[0] for line in lines if line and line[0].endswith("*")] == ["gan_r1*", "concat*"]
    assert ["mine", r"My model, \x1b[31mred."] in lines
    for command in BEGIN_WITH.values():
        assert command in text


def test_what_to_begin_with_composes():
    for command in BEGIN_WITH.values():
        for override in re.findall(r"[a-z]+=\w+", command):
            group, _, option = override.partition("=")
            assert group == "root" or option in options(group), override


def test_the_readme_begins_with_the_same():
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = readme.partition("## Begin here")[2].partition("```")[0].replace("`", "")
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    assert dict(rows[2:]) == BEGIN_WITH


def test_no_first_comment_breaks_off():
    for file in conf_folder().rglob("*/[!_]*.yaml"):
        comments = [line for line in file.read_text().splitlines() if not line.startswith("# @package")]
        if comments[1].startswith("#"):
            assert comments[0].endswith((".", ")")), file


def test_shared_files_are_no_options():
    assert not [name for name in options("data") if name.startswith("_")]


def test_an_unknown_group_is_refused():
    with pytest.raises(UserError, match="modle: conf/ has no such group"):
        options("modle")


def test_the_folder_inside_the_package_comes_first(tmp_path, monkeypatch):
    package = tmp_path / "gan_lightning"
    (package / "config").mkdir(parents=True)
    monkeypatch.setattr("gan_lightning.config.options.__file__", str(package / "config" / "options.py"))
    with pytest.raises(UserError, match=r"config\.yaml is neither in"):
        conf_folder()
    for place in (tmp_path / "conf", package / "conf"):  # a checkout, then a wheel
        place.mkdir()
        (place / "config.yaml").touch()
        assert conf_folder() == place


def test_no_heavy_package_is_imported():
    code = (
        "import sys; from gan_lightning.config.options import options; options('model'); "
        "sys.exit(bool({'hydra', 'omegaconf', 'torch', 'lightning'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
