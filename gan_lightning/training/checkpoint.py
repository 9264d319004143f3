"""Reading and writing checkpoints: whole or absent, and never a pickle that runs code."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO
from safetensors.torch import save_file

from gan_lightning.errors import UserError
from gan_lightning.files import atomic
from gan_lightning.models import GAN
from gan_lightning.models.rebuild import rebuild
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
    if not isinstance(checkpoint, dict) or not {"config", "state_dict"} <= checkpoint.keys():
        raise UserError(f"{path} is not a checkpoint of gan_lightning: it has no 'config' and 'state_dict'")
    return checkpoint


def load_model(path: Path) -> GAN:
    """Builds the trained model from the checkpoint alone, on the CPU."""
    return rebuild(read(path), path)


def export(model: GAN, folder: RunFolder, step: int) -> None:
    """Writes `generator.safetensors`, averaged where there is an average, and `discriminator.safetensors`."""
    averaged = model.generator_ema is not None
    networks = {
        "generator": (model.generator_ema if averaged else model.generator, "ema" if averaged else "raw"),
        "discriminator": (model.discriminator, "raw"),
    }
    for name, (network, weights) in networks.items():
        assert network is not None
        tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in network.state_dict().items()}
        with atomic(folder.checkpoints / f"{name}.safetensors") as path:
            save_file(tensors, path, metadata={"weights": weights, "step": str(step)})
