"""Shape annotations are executed in every test; the command line runs in this process where it can."""

from jaxtyping import install_import_hook

import tests.shapes  # noqa: F401

install_import_hook("gan_lightning", "tests.shapes.typechecker")

import json  # noqa: E402
import os  # noqa: E402
import runpy  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
import torch  # noqa: E402

PROJECT = Path(__file__).resolve().parent.parent
TESTS = PROJECT / "tests"
TINY = (
    "trainer=cpu",
    "callbacks.progress=null",
    "callbacks.samples=null",
    "network.generator.hidden_dims=[16,16]",
    "network.discriminator.hidden_dims=[16]",
    "network.generator.latent_dim=8",
    "data.batch_size=32",
)
"""A run of a second: small networks, no pictures, no bar."""

WITHOUT_MLP = (
    *(option for option in TINY if not option.startswith("network.discriminator")),
    *(f"~network.discriminator.{name}" for name in ("hidden_dims", "negative_slope", "condition_dim", "join")),
)
"""The same for a discriminator of the tests' own."""


@dataclass
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


def environment() -> dict[str, str]:
    """For processes of their own: the tests' helpers may be named in a configuration."""
    return os.environ | {"PYTHONPATH": f"{TESTS}:{PROJECT}", "GAN_LIGHTNING_TRUST": "helpers", "OMP_NUM_THREADS": "1"}


@pytest.fixture(autouse=True, scope="session")
def cache(tmp_path_factory) -> Iterator[Path]:
    """A cache of the tests' own."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GAN_LIGHTNING_CACHE", str(folder))
        yield folder


@pytest.fixture
def train(tmp_path, monkeypatch, capfd):
    """Runs `python train.py ...` in this process: `train("run", "seed=1").summary`."""
    monkeypatch.syspath_prepend(str(TESTS))
    monkeypatch.setenv("GAN_LIGHTNING_TRUST", "helpers")
    threads = torch.get_num_threads()

    def run(name: str, *overrides: str) -> Outcome:
        from hydra.core.hydra_config import HydraConfig

        HydraConfig.instance().cfg = None  # as in a new process
        folder = tmp_path / name
        place = () if any(o.startswith("resume=") for o in overrides) else (f"hydra.run.dir={folder}",)
        monkeypatch.setattr(sys, "argv", [str(PROJECT / "train.py"), *overrides, *place])
        torch.set_num_threads(1)
        code = 0
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else 1
            if isinstance(leaving.code, str):
                print(leaving.code, file=sys.stderr)
        finally:
            torch.set_num_threads(threads)
        captured = capfd.readouterr()
        return Outcome(code, captured.out + captured.err, folder)

    return run


@pytest.fixture
def train_apart(tmp_path):
    """Runs `python train.py ...` as a process of its own, for signals and for several processes."""

    def run(name: str, *overrides: str, timeout: float = 120) -> Outcome:
        folder = tmp_path / name
        place = () if any(o.startswith("resume=") for o in overrides) else (f"hydra.run.dir={folder}",)
        command = [sys.executable, str(PROJECT / "train.py"), *overrides, *place]
        result = subprocess.run(
            command, env=environment(), cwd=tmp_path, capture_output=True, text=True, timeout=timeout
        )
        return Outcome(result.returncode, result.stdout + result.stderr, folder)

    return run


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
