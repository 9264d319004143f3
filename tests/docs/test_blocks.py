"""Every block of the documentation: its commands are checked, its configurations composed, its programs run."""

from __future__ import annotations

import argparse
import importlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf, open_dict
from PIL import Image

from gan_lightning.config import check, recipes
from tests.conftest import PROJECT, TINY, composed
from tests.docs.blocks import BLOCKS, PAGES, Block, overrides_of

SCRIPTS = re.findall(r'(?m)^(gan-\w+) = "(\S+):main"', (PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
TOOLS = {script: module for script, module in SCRIPTS if script != "gan-train"}
FLAGS = {"--help", "-m", "--multirun"}
NOT_QUICK = (
    "data=",
    "trainer.devices",
    "sweep",
    "reproduce",
    "resume",
    "branch_from",
    "init_from",
    "metrics",
    "cgan_tags",
    "network",
)
"""What a command has that needs a download, another run, several processes or much time: it is composed alone."""


def name(block: Block) -> str:
    return f"{block.page}:{block.line}"


bash = [block for block in BLOCKS if block.language == "bash"]
trainings = {
    " ".join(found): (block, tuple(found))
    for block in bash
    for command in block.commands()
    if (found := overrides_of(command)) is not None and "--config-dir" not in found and "$" not in " ".join(found)
}
"""The trainings of all blocks, with the shell's part of a command done."""
pages_with_files = sorted({block.page for block in BLOCKS if block.file})


def first_of_sweep(override: str) -> str:
    """The first value of a sweep's `key=1,2`; a comma inside brackets is no sweep."""
    key, equals, value = override.partition("=")
    depth, end = 0, len(value)
    for index, letter in enumerate(value):
        depth += (letter in "[{(") - (letter in "]})")
        if letter == "," and depth == 0:
            end = index
            break
    return key + equals + value[:end]


def test_every_fence_has_a_language_and_is_found():
    fences = sum(len(re.findall(r"(?m)^ *```\S", page.read_text(encoding="utf-8"))) for page in PAGES)
    assert fences == len(BLOCKS)


@pytest.mark.parametrize("block", [b for b in bash if b.not_run is None], ids=name)
def test_the_commands_of_a_block_that_is_run_are_known(block):
    for command in block.commands():
        words = [word for word in command if not re.match(r"[A-Z_]+=", word)]
        assert overrides_of(command) is not None or words[0] in TOOLS, command


@pytest.fixture(scope="module")
def own_pictures(tmp_path_factory) -> Iterator[dict[str, Path]]:
    """What stands for the paths of pictures in the pages."""
    datasets = pytest.importorskip("datasets")
    folder = tmp_path_factory.mktemp("pictures")
    for index, kind in enumerate(["cat", "cat", "dog", "dog"]):
        (folder / kind).mkdir(exist_ok=True)
        Image.new("RGB", (8, 8), (index, 0, 0)).save(folder / kind / f"{index}.png")
    parquet = tmp_path_factory.mktemp("parquet") / "pictures.parquet"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path_factory.mktemp("cache"))
        datasets.load_dataset("imagefolder", data_dir=str(folder), split="train").to_parquet(parquet)
        yield {"path/to/pictures.parquet": parquet, "path/to/folder": parquet.parent, "path/to/pictures": folder}


@pytest.mark.slow
@pytest.mark.parametrize("words", [words for _, words in trainings.values()], ids=" ".join)
def test_a_training_composes_and_is_checked(words, own_pictures):
    overrides = [first_of_sweep(word) for word in words if word not in FLAGS and not word.startswith("hydra")]
    for text, path in own_pictures.items():
        overrides = [word.replace(text, str(path)) for word in overrides]
    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        config = compose("config", [*overrides, "name=run", "run_dir=run"], return_hydra_config=True)
    optimizer = config.hydra.runtime.choices.get("model/optimizer")
    with open_dict(config):
        del config["hydra"]
    recipes.fit_optimizer(config, recipes.typed_keys(overrides), optimizer)
    check.check(config)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "yaml" and not b.file], ids=name)
def test_a_piece_of_configuration_is_one(block):
    default = composed()
    OmegaConf.set_struct(default, False)
    check.check(OmegaConf.merge(default, OmegaConf.create(block.text)))


class Parsed(Exception):
    """Ends a tool once its arguments are parsed."""


def test_the_arguments_of_the_tools_are_parsed(monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def parsed(*arguments):
        parse(*arguments)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    inline = re.findall(r"`(gan-\w+ [^`\n]*<[^`\n]+)`", "\n".join(page.read_text(encoding="utf-8") for page in PAGES))
    commands = [c for block in bash for c in block.commands() if c[0] in TOOLS]
    commands += [c for text in inline for c in Block("", 0, "bash", text + "\n", None).commands()]
    assert {command[0] for command in commands} >= {"gan-evaluate", "gan-generate", "gan-results"}
    for command in commands:
        with pytest.raises(Parsed):
            importlib.import_module(TOOLS[command[0]]).main(command[1:])


quick = [
    words
    for block, words in trainings.values()
    if block.not_run is None and not any(part in word for part in NOT_QUICK for word in words) and "--help" not in words
]


@pytest.mark.slow
@pytest.mark.parametrize("words", quick, ids=" ".join)
def test_a_quick_training_trains(words, command):
    short = [word for word in TINY if not word.startswith("network")]
    assert command("run", *words, *short, "trainer.max_steps=2").code == 0


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "GAN_LIGHTNING_TRUST": "my_package", "PYTHONPATH": f"{folder}:{PROJECT}"}


def run(arguments: list[str], folder: Path) -> None:
    result = subprocess.run(
        arguments, cwd=folder, env=environment(folder), capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.slow
@pytest.mark.parametrize("page", pages_with_files)
def test_the_files_of_a_page_work_with_its_commands(page, tmp_path):
    own = [block for block in BLOCKS if block.page == page]
    for block in filter(lambda block: block.file, own):
        path = tmp_path / str(block.file)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)
    commands = [words for b in own if b.language == "bash" for c in b.commands() if (words := overrides_of(c))]
    own_conf = [words for words in commands if words[0] == "--config-dir"]
    assert own_conf
    program = "import gan_lightning"
    for _, folder, *overrides in own_conf:
        short = [*overrides, "trainer=cpu", "trainer.max_steps=2", "callbacks.progress=null"]
        program += f"\nrun = gan_lightning.train({short}, {folder!r})\ngan_lightning.load(run.folder).sample(2, seed=0)"
    run([sys.executable, "-c", program], tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    "block", [b for b in BLOCKS if b.language == "python" and not b.file and b.not_run is None], ids=name
)
def test_a_python_block_runs(block, tmp_path):
    shortened = re.sub(r"(max_steps=)\d+", r"\g<1>4", block.text)
    assert shortened != block.text, "expected max_steps, which this test makes small"
    run([sys.executable, "-c", shortened], tmp_path)


def test_a_block_is_split_as_a_shell_splits_it():
    text = "A=1 python train.py 'a=[1,2]' b=c,d \\\n    e=f  # no word\n# nor this\ngan-results <run folder> && ls; x\n"
    commands = Block("x.md", 1, "bash", text, None).commands()
    assert commands[0] == ["A=1", "python", "train.py", "a=[1,2]", "b=c,d", "e=f"]
    assert commands[1:] == [["gan-results", "run_folder"], ["ls"], ["x"]]
    assert overrides_of(commands[0]) == ["a=[1,2]", "b=c,d", "e=f"]
    assert overrides_of(commands[1]) is None
    assert [first_of_sweep(word) for word in ("a=[1,2],[3]", "b=c,d", "e")] == ["a=[1,2]", "b=c", "e"]
