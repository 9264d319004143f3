"""Runs in this process, runs as processes of their own, and refusals without a run.

Shape annotations are executed in every test.
"""

import os

os.environ["OMP_NUM_THREADS"] = "1"  # before torch: workers that share the cores would wait for each other's threads

from jaxtyping import install_import_hook

import tests.shapes  # noqa: F401

install_import_hook("gan_lightning", "tests.shapes.typechecker")

import functools  # noqa: E402
import io  # noqa: E402
import json  # noqa: E402
import shutil  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from contextlib import redirect_stderr, redirect_stdout  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
import torch  # noqa: E402
from omegaconf import DictConfig  # noqa: E402

import gan_lightning  # noqa: E402
from gan_lightning.cli import train as command_line  # noqa: E402
from gan_lightning.config import check  # noqa: E402
from gan_lightning.errors import UserError  # noqa: E402
from tests.composition import compose_once  # noqa: E402

compose_once(pytest.MonkeyPatch())  # some tests compose while they are collected

PROJECT = Path(__file__).resolve().parent.parent
TESTS = PROJECT / "tests"
TINY = (
    "trainer=cpu",
    "callbacks.progress=null",
    "callbacks.samples=null",
    "callbacks.report=null",
    "callbacks.doctor=null",
    "network.generator.hidden_dims=[16,16]",
    "network.discriminator.hidden_dims=[16]",
    "network.generator.latent_dim=8",
    "data.batch_size=32",
)
"""A run of a second: small networks, no pictures, no report, no doctor, no bar."""

WITHOUT_MLP = (
    *(option for option in TINY if not option.startswith("network.discriminator")),
    *(f"~network.discriminator.{name}" for name in ("hidden_dims", "negative_slope", "condition_dim", "join")),
)
"""The same for a discriminator of the tests' own, which gets the rest: Hydra cannot remove a key that is null."""


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code, what it printed, and its run folder."""

    code: int
    output: str
    folder: Path

    @property
    def summary(self) -> dict:
        return json.loads((self.folder / "summary.json").read_text())

    @property
    def checkpoint(self) -> dict:
        return torch.load(self.folder / "checkpoints" / "last.ckpt", weights_only=True)

    def copy(self, folder: Path) -> "Outcome":
        """The same run in another folder, to resume it or to write into it."""
        return Outcome(self.code, self.output, Path(shutil.copytree(self.folder, folder)))


Train = Callable[..., Outcome]


ACCELERATOR = os.environ.get("GAN_LIGHTNING_TEST_ACCELERATOR", "gpu")
"""The accelerator of the tests marked gpu. With cpu they run on any machine, for what they say themselves."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if ACCELERATOR == "gpu" and not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


@pytest.fixture(autouse=True, scope="session")
def surroundings(tmp_path_factory) -> Iterator[None]:
    """A cache of the tests' own, and the helpers that configurations name, for other processes, too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_LIGHTNING_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("GAN_LIGHTNING_TRUST", "helpers")
        patch.setenv("PYTHONPATH", f"{TESTS}:{PROJECT}")
        patch.syspath_prepend(str(TESTS))
        yield


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """Each test begins with one: workers that share the cores would wait for each other's threads."""
    torch.set_num_threads(1)


def arguments(folder: Path, overrides: tuple[str, ...]) -> list[str]:
    """What is typed for a run in `folder`; a resumed one has its folder already."""
    resumed = any(override.startswith("resume=") for override in overrides)
    return [*overrides, *([] if resumed else [f"hydra.run.dir={folder}"])]


def launch(folder: Path, *overrides: str) -> Outcome:
    """`gan_lightning.train`; a mistake has the code and the message that it has on the command line."""
    printed, code = io.StringIO(), 0
    with redirect_stdout(printed), redirect_stderr(printed):
        try:
            gan_lightning.train(arguments(folder, overrides))
        except (UserError, FloatingPointError) as error:
            code = 1
            print(f"error: {error}")
    return Outcome(code, printed.getvalue(), folder)


@pytest.fixture
def train(tmp_path) -> Train:
    """Trains in this process, in a folder of this test: `train("run", "seed=1").summary`."""
    return lambda name, *overrides: launch(tmp_path / name, *overrides)


@pytest.fixture(scope="session")
def trained(tmp_path_factory) -> Train:
    """Trains once what several tests read, `trained("seed=1").summary`; nobody writes into its folder."""
    return functools.cache(lambda *overrides: launch(tmp_path_factory.mktemp("trained") / "run", *overrides))


@pytest.fixture
def command(tmp_path, monkeypatch) -> Train:
    """The command line, in this process: for sweeps, signals, and what is said of mistakes."""
    from hydra.core.hydra_config import HydraConfig

    def run(name: str, *overrides: str) -> Outcome:
        HydraConfig.instance().cfg = None  # as in a new process
        monkeypatch.setattr(sys, "argv", ["gan-train", *arguments(tmp_path / name, overrides)])
        printed, code = io.StringIO(), 0
        with redirect_stdout(printed), redirect_stderr(printed), command_line._restored_logging():
            try:
                command_line.main()
            except SystemExit as leaving:
                code = leaving.code if isinstance(leaving.code, int) else 1
                print(leaving.code if isinstance(leaving.code, str) else "")
        return Outcome(code, printed.getvalue(), tmp_path / name)

    return run


@pytest.fixture
def train_apart(tmp_path) -> Train:
    """The command line in a process of its own, which takes some ten seconds to start: for tests marked slow."""

    def run(name: str, *overrides: str, timeout: float = 240) -> Outcome:
        command = [sys.executable, str(PROJECT / "train.py"), *arguments(tmp_path / name, overrides)]
        result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=timeout)
        return Outcome(result.returncode, result.stdout + result.stderr, tmp_path / name)

    return run


def composed(*overrides: str) -> DictConfig:
    """The configuration of a command line, and no run."""
    from hydra import compose, initialize_config_dir

    with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
        return compose("config", [*overrides, "name=run", "run_dir=run"])  # Hydra would name them in a run


def refusal(*overrides: str) -> str:
    """Why a configuration is refused before anything is built or written."""
    with pytest.raises(UserError) as caught:
        check.check(composed(*overrides))
    return str(caught.value)


@pytest.fixture(scope="session")
def mnist_root() -> str:
    """The folder with MNIST/raw; in CI its absence is a failure."""
    for place in (os.environ.get("GAN_LIGHTNING_DATA"), PROJECT.parent / "shared" / "data", PROJECT / "data"):
        if place and Path(place, "MNIST", "raw", "train-images-idx3-ubyte").exists():
            return str(place)
    message = "MNIST is in none of $GAN_LIGHTNING_DATA, ../shared/data, data/"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def differing(one: object, other: object, path: str = "") -> list[str]:
    """The places where two nests of containers and tensors are not exactly equal."""
    if isinstance(one, torch.Tensor):
        return [] if isinstance(other, torch.Tensor) and torch.equal(one, other) else [path]
    if isinstance(one, dict) and isinstance(other, dict):
        keys = one.keys() | other.keys()
        return [d for key in keys for d in differing(one.get(key), other.get(key), f"{path}/{key}")]
    if isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        return [d for i, (a, b) in enumerate(zip(one, other, strict=True)) for d in differing(a, b, f"{path}/{i}")]
    return [] if one == other else [path]


TRAINED = ("state_dict", "optimizer_states", "loops", "epoch", "global_step")
"""What makes up a checkpoint's state of training."""


def training_differences(one: Outcome, other: Outcome) -> list[str]:
    a, b = one.checkpoint, other.checkpoint
    return [d for key in TRAINED for d in differing(a[key], b[key], key)]
