"""Reading and writing checkpoints: files are written whole or not at all, and reading them runs no code."""

from __future__ import annotations

import json
from concurrent.futures import Future
from copy import copy
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO
from torch import Tensor, nn

from gan_lightning.callbacks import Writer
from gan_lightning.callbacks.checkpoints import require_finite
from gan_lightning.checksum import append_checksum
from gan_lightning.errors import UserError
from gan_lightning.files import atomic, read_json
from gan_lightning.models import GAN
from gan_lightning.models.rebuild import Checkpoint, build_to_fit, load_weights, read, rebuild, require_content
from gan_lightning.specs import spec_of
from gan_lightning.tensor_file import load_tensors, save_tensors
from gan_lightning.training.run_folder import RunFolder

RESUMABLE = (
    *("batches_per_epoch", "callbacks", "epoch", "global_step", "loops", "lr_schedulers", "metrics"),
    *("optimizer_states", "pytorch-lightning_version"),
)
"""The entries of a checkpoint that training goes on from, besides those of the model."""
CONFIG, WEIGHTS = "config.json", "model.safetensors"
"""The files of a folder of `save_pretrained` that say how a model is built, and have its weights."""
LABELS = "vocabulary."
"""The prefix of the tensors in `WEIGHTS` that belong to the labels and not to the networks."""


class WriterCheckpointIO(TorchCheckpointIO):
    """Copies a checkpoint, which the writer's thread then writes while training goes on.

    Args:
        writer: The writer.
    """

    def __init__(self, writer: Writer) -> None:
        super().__init__()
        self.writer = writer
        self._written: Future[None] | None = None

    def save_checkpoint(self, checkpoint: Checkpoint, path: Any, storage_options: Any = None) -> None:
        """Returns once the checkpoint is copied. There is one copy at a time: the one before must have been written.

        Raises:
            OSError: An earlier write has failed.
        """
        if self._written is not None:
            self._written.result()
        self._written = self.writer.submit(partial(write_checkpoint, _copied(checkpoint), Path(path)))

    def remove_checkpoint(self, path: Any) -> None:
        """Removes a checkpoint, after the ones before are written: Lightning's ModelCheckpoint removes older ones."""
        self.writer.submit(partial(super().remove_checkpoint, path))

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> Checkpoint:
        return read(Path(path))


def write_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Writes a temporary file with a checksum, flushes it to the disk, then renames it.

    After a crash the old file is still there, and a file that has changed since is told when it is read.
    """
    with atomic(path) as part:
        try:
            with part.open("wb") as file:  # of a path, torch would not say why it cannot be written
                torch.save(checkpoint, file)
        except RuntimeError as error:  # torch has tried to complete the file after a write that failed
            raise (error.__context__ if isinstance(error.__context__, OSError) else error) from None
        append_checksum(part)


def _copied(node: Any) -> Any:
    """A copy of nested containers, with their attributes, and of the tensors in them, on the CPU."""
    if isinstance(node, Tensor):
        return node.detach().to("cpu", copy=True)
    if isinstance(node, dict):
        copied = copy(node)
        copied.update((name, _copied(child)) for name, child in node.items())
        return copied
    return type(node)(map(_copied, node)) if isinstance(node, list | tuple) else node


def locate(place: str | Path) -> Path:
    """Returns the path of a checkpoint: `place` itself, or the last checkpoint of the run folder `place`.

    Raises:
        UserError: There is no such file.
    """
    path = Path(place)
    if path.is_dir():
        path = RunFolder(path).last
    if not path.is_file():
        raise UserError(
            f"there is no checkpoint at {path}. Expected a run folder with checkpoints/last.ckpt, or a .ckpt file"
        )
    return path


def read_folder(folder: Path) -> Checkpoint:
    """Reads a folder of `save_pretrained` as a checkpoint without the state of training. It runs no code.

    Raises:
        UserError: A file is missing or damaged, or is of another format.
    """
    config, (tensors, _) = read_json(folder / CONFIG), load_tensors(folder / WEIGHTS)
    labels = {name.removeprefix(LABELS): tensors.pop(name) for name in list(tensors) if name.startswith(LABELS)}
    content = {name: config[name] for name in ("format", "model") if name in config} | {"state_dict": tensors}
    if labels:
        content["vocabulary"] = labels | {"names": config.get("names")}
    require_content(content, folder)
    return content


def require_resumable(saved: Checkpoint, path: Path) -> None:
    """Checks that a checkpoint has all entries that training goes on from.

    Raises:
        UserError: Some are missing.
    """
    missing = [name for name in RESUMABLE if name not in saved]
    if missing or saved["batches_per_epoch"] < 1:
        lacking = ", ".join(missing) or "positive batches_per_epoch"
        raise UserError(
            f"{path} cannot be resumed from: it has no {lacking}. Use another from the same checkpoints/ folder"
        )


def load_model(path: Path) -> GAN:
    """Builds the trained model from its checkpoint alone, on the CPU, in eval mode."""
    return rebuild(read(path), path).eval()


def load(place: str | Path) -> Any:
    """Loads a trained model or network, on the CPU, in eval mode: `load("logs/...").sample(16, label=3)`.

    Loading runs no code from the file: it consists of tensors and plain containers, which may name only classes of
    the allowlist.

    Args:
        place: A run folder, which stands for its last checkpoint; a checkpoint; or a `.safetensors` file.

    Returns:
        The model of a checkpoint, whose `sample` uses the averaged generator (EMA) where there is one; or the network
        of a `.safetensors` file.

    Raises:
        UserError: There is no such file, it is damaged, or it does not say how to build the model or network.
    """
    if Path(place).suffix == ".safetensors":
        return _load_network(Path(place))
    return load_model(locate(place))


def _load_network(path: Path) -> nn.Module:
    weights, metadata = load_tensors(path)
    try:
        spec = json.loads(metadata["network"])
    except (KeyError, ValueError) as error:
        raise UserError(
            f"{path} does not say what network it belongs to. Load the checkpoint beside it, checkpoints/last.ckpt"
        ) from error
    network: nn.Module = build_to_fit(spec, weights, nn.Module, path)
    load_weights(network, weights, path)
    return network.eval()


def export(model: GAN, folder: RunFolder, step: int) -> None:
    """Writes `generator.safetensors`, as samples come from it, and `discriminator.safetensors`.

    The metadata of each file: `network` (a spec, JSON), `weights` ("ema" or "raw"), `step`, and `gan_lightning` (the
    version).

    Raises:
        FloatingPointError: A weight is not finite.
    """
    require_finite(model, [], step)
    has_ema = model.generator_ema is not None
    networks = {
        "generator": (model.sampled_generator(), "ema" if has_ema else "raw"),
        "discriminator": (model.discriminator, "raw"),
    }
    for name, (network, weights) in networks.items():
        metadata = {"network": json.dumps(spec_of(network)), "weights": weights, "step": str(step)}
        metadata["gan_lightning"] = version("gan_lightning")
        save_tensors(network.state_dict(), folder.checkpoints / f"{name}.safetensors", metadata)
