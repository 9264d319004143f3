"""Reading and writing checkpoints: whole or absent, and never a pickle that runs code."""

from __future__ import annotations

import json
import pickle
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import nn

from gan_lightning.config.targets import build
from gan_lightning.errors import UserError
from gan_lightning.files import atomic
from gan_lightning.models import GAN
from gan_lightning.models.rebuild import load_weights, rebuild
from gan_lightning.specs import spec_of, unknown_parts
from gan_lightning.training.run_folder import RunFolder

Checkpoint = dict[str, Any]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Writes beside the final name, flushes to the disk, then renames: a crash leaves the old file."""

    def save_checkpoint(self, checkpoint: Checkpoint, path: Any, storage_options: Any = None) -> None:
        with atomic(Path(path)) as partial:
            torch.save(checkpoint, partial)

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> Checkpoint:
        return read(Path(path))


def locate(place: str | Path) -> Path:
    """The checkpoint that a run folder or a path means."""
    path = Path(place)
    if path.is_dir():
        path = RunFolder(path).last
    if not path.is_file():
        raise UserError(
            f"there is no checkpoint at {path}. Expected a run folder with checkpoints/last.ckpt, or a .ckpt file"
        )
    return path


def read(path: Path) -> Checkpoint:
    """A checkpoint's tensors and plain containers, on the CPU; anything else in it is refused."""
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        if "Unsupported" in str(error):
            raise UserError(
                f"{path} is refused: it holds more than tensors and plain containers, and loading it could run code"
            ) from error
        raise UserError(
            f"{path} is damaged or not a checkpoint. Use another from the same checkpoints/ folder"
        ) from error
    if not isinstance(checkpoint, dict) or not {"model", "state_dict"} <= checkpoint.keys():
        raise UserError(f"{path} is not a checkpoint of gan_lightning: it has no 'model' and 'state_dict'")
    return checkpoint


def load_model(path: Path) -> GAN:
    """The trained model, rebuilt from the checkpoint alone, on the CPU, in eval mode."""
    return rebuild(read(path), path).eval()


def load(place: str | Path) -> Any:
    """What was trained, on the CPU, in eval mode: `load("logs/...").sample(16, label=3)`.

    Reading never runs code: a file holds tensors and plain containers, which may name nothing but the classes of the
    allowlist.

    Args:
        place: a run folder, that is its last checkpoint, or a checkpoint: the model, whose `sample` draws with the
            averaged generator where there is an average. Or a `.safetensors` file: its one network.

    Raises:
        UserError: there is no such file, it is damaged, or it does not say how to build what it belongs to.
    """
    if Path(place).suffix == ".safetensors":
        return _load_network(Path(place))
    return load_model(locate(place))


def _load_network(path: Path) -> nn.Module:
    try:
        with safe_open(path, "pt") as file:
            spec = json.loads((file.metadata() or {})["network"])
    except OSError as error:
        raise UserError(f"{path}: {error}. Expected a .safetensors file of a run's checkpoints/") from error
    except SafetensorError as error:
        raise UserError(f"{path} is damaged or no safetensors file: {error}") from error
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path} does not say what network it belongs to. Load the checkpoint beside it, checkpoints/last.ckpt"
        ) from error
    unknown = unknown_parts(spec)
    if unknown:
        raise UserError(
            f"{path} does not say how to build {', '.join(unknown)}. Let its class inherit "
            "gan_lightning.specs.Described, and train again; or build it, and load the file by safetensors.torch"
        )
    network: nn.Module = build({"network": spec}, "network")
    load_weights(network, load_file(path), path)
    return network.eval()


def export(model: GAN, folder: RunFolder, step: int) -> None:
    """Writes `generator.safetensors`, averaged where there is an average, and `discriminator.safetensors`.

    Their metadata say what they are: `network` (a spec, JSON), `weights` (ema or raw), `step`, `gan_lightning`.
    """
    averaged = model.generator_ema is not None
    networks = {
        "generator": (model.generator_ema if averaged else model.generator, "ema" if averaged else "raw"),
        "discriminator": (model.discriminator, "raw"),
    }
    for name, (network, weights) in networks.items():
        assert network is not None
        tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in network.state_dict().items()}
        about = {"network": json.dumps(spec_of(network)), "weights": weights, "step": str(step)}
        content = save(tensors, about | {"gan_lightning": version("gan_lightning")})
        with atomic(folder.checkpoints / f"{name}.safetensors") as path:
            path.write_bytes(content)  # save_file would make it unreadable for others, whatever the umask
