"""The weights that a new run starts from, where `init_from` names another model: a run on other data, for example."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gan_lightning.errors import UserError
from gan_lightning.files import run_folder_of
from gan_lightning.losses import Player
from gan_lightning.models import GAN
from gan_lightning.specs import UNKNOWN
from gan_lightning.tensor_file import load_tensors
from gan_lightning.terminal import printable
from gan_lightning.training import checkpoint
from gan_lightning.training.run_folder import RunFolder

PARTS: dict[str, Player] = {
    "generator": "generator",
    "discriminator": "discriminator",
    "heads": "discriminator",
    "generator_ema": "generator",
}
"""The parts of a model whose weights are taken, and the player that each belongs to; no state of losses or of ADA."""
PLAYERS: tuple[Player, ...] = ("generator", "discriminator")
SHOWN = 10
"""The largest number of labels with other names that the log shows."""
_PARAMETRIZED = ".parametrizations."


class Source(NamedTuple):
    """The weights of another model, and the classes of its networks.

    Attributes:
        path: The file or folder.
        step: The number of batches that it has trained on.
        classes: The class of each network, as its spec names it.
        weights: The tensors, named as in the state dict of a model.
        labels: The names of the classes or tags that its networks are conditioned on; none: they are not, or the file
            does not say.
    """

    path: Path
    step: int
    classes: dict[Player, str]
    weights: dict[str, Tensor]
    labels: Sequence[str] = ()


def read(place: str, config: Mapping[str, Any]) -> Source:
    """Reads the weights that a run starts from; nothing is built of what a file describes.

    Args:
        place: A run folder, which stands for its last checkpoint; a checkpoint; a folder of `save_pretrained`; or a
            `.safetensors` file of one network.
        config: The run's configuration; the classes of its networks say which one a `.safetensors` file holds.

    Raises:
        UserError: There is no such file, or it is damaged.
    """
    path = Path(place)
    try:
        if path.suffix == ".safetensors":
            return _of_network(path, config)
        if Path(path, checkpoint.CONFIG).is_file() and not RunFolder(path).last.exists():
            saved, found = checkpoint.read_folder(path), path
        else:
            found = checkpoint.locate(path)
            saved = checkpoint.read(found)
    except UserError as error:
        raise UserError(f"init_from={place}: {error}") from error
    classes = {player: _class(saved["model"].get(player)) for player in PLAYERS}
    names = saved.get("vocabulary", {}).get("names")
    labels = [str(name) for name in names] if isinstance(names, list | tuple) else []
    return Source(found, saved.get("global_step", 0), classes, saved["state_dict"], labels)


def _of_network(path: Path, config: Mapping[str, Any]) -> Source:
    weights, metadata = load_tensors(path)
    try:
        name, step = _class(json.loads(metadata["network"])), int(metadata["step"])
    except (KeyError, ValueError) as error:
        raise UserError(f"{path} does not say what network it belongs to. Take the checkpoint beside it") from error
    for player in PLAYERS:
        if name == _class(config["model"].get(player)):
            return Source(path, step, {player: name}, {f"{player}.{key}": each for key, each in weights.items()})
    raise UserError(f"it holds a {_short(name)}, and none of this run's networks is one; choose network= as there")


def load(source: Source, model: GAN, averages: bool, labels: Sequence[str] = ()) -> dict[str, Any]:
    """Loads what fits, by name and shape, and returns the section `init_from` of `summary.json`.

    G, D with its heads, and the average of G (EMA) each get their own weights, as in StyleGAN2-ADA; the average gets
    those of G where the source has none. What does not fit keeps its initial values.

    Args:
        source: The weights.
        model: The new model, on the CPU.
        averages: Whether the run keeps an average of G.
        labels: The names of the classes or tags that the new model is conditioned on; none: it is not.

    Raises:
        UserError: A network is of another class than the source's, only one of both is spectrally normalized, none of
            its weights fits, or one that does not fit would be frozen as it is, with random values.
    """
    for player, name in source.classes.items():
        own = _class(model.spec[player])
        if own != name:
            raise UserError(
                f"init_from={source.path}: its {player} is a {_short(name)}, and network.{player} is a {_short(own)}: "
                f"choose network= as there{_way_out(source)}"
            )
    _require_same_normalization(source, model)
    weights = {name: tensor for name, tensor in source.weights.items() if name.partition(".")[0] in PARTS}
    report = _load_fitting(model, {n: w for n, w in weights.items() if not n.startswith("generator_ema.")})
    for player in source.classes:
        if not any(weights[name].ndim > 1 and PARTS[name.partition(".")[0]] == player for name in report[0]):
            raise UserError(
                f"init_from={source.path}: none of its {player}'s weights fits network.{player}: set its sizes as "
                f"there{_way_out(source)}\n  " + "\n  ".join(report[1][:8])
            )
    _require_no_random_frozen(source, model, report[0])
    if averages:
        model.track_ema()  # a copy of G as it starts now
        more = _load_fitting(model, {n: w for n, w in weights.items() if n.startswith("generator_ema.")})
        report = (report[0] + more[0], report[1] + more[1])
    loaded, new = report
    same_number = zip(source.labels, labels, strict=True) if len(source.labels) == len(labels) else ()
    renamed = [f"{number}: {a} there, {b} here" for number, (a, b) in enumerate(same_number) if a != b]
    return {
        "checkpoint": str(source.path),
        "step": source.step,
        "loaded": len(loaded),
        "new": new,
        "renamed_labels": renamed,
    }


def _require_same_normalization(source: Source, model: GAN) -> None:
    own = model.state_dict()
    for player in source.classes:
        there, here = _is_normalized(player, source.weights), _is_normalized(player, own)
        if there != here:
            raise UserError(
                f"init_from={source.path}: its {player} {'is' if there else 'is not'} spectrally normalized, and this "
                f"run's {'is' if here else 'is not'}: choose a model= that is as there{_way_out(source)}"
            )


def _is_normalized(player: Player, weights: Mapping[str, Tensor]) -> bool:
    return any(name.startswith(f"{player}.") and _PARAMETRIZED in name for name in weights)


def _require_no_random_frozen(source: Source, model: GAN, loaded: Sequence[str]) -> None:
    frozen = {f"discriminator.{name}" for name, w in model.discriminator.named_parameters() if not w.requires_grad}
    count, random = model.spec.get("freeze_discriminator"), sorted(frozen - {*loaded})
    if count and random:
        raise UserError(
            f"model.freeze_discriminator={count}: init_from={source.path} has no weights that fit {', '.join(random)}, "
            "which would keep random values; choose a source whose discriminator fits, or freeze nothing"
        )


def _load_fitting(model: GAN, weights: dict[str, Tensor]) -> tuple[list[str], list[str]]:
    """Copies the tensors that fit; returns the names of these, and a line for each of the others."""
    parts = {name.partition(".")[0] for name in weights}
    if "discriminator" in parts:
        parts.add("heads")  # those that only the new model has are listed, too
    own = {name: tensor for name, tensor in model.state_dict().items() if name.partition(".")[0] in parts}
    differ = {name: line for name in own | weights if (line := _difference(own.get(name), weights.get(name)))}
    broken = {name.partition(_PARAMETRIZED)[0] for name in differ if _PARAMETRIZED in name}
    loaded = []
    for name in own.keys() - differ.keys():
        # The estimates of a singular value belong to the weight: they go with it, or not at all.
        if _PARAMETRIZED in name and name.partition(_PARAMETRIZED)[0] in broken:
            differ[name] = "its weight does not fit"
            continue
        with torch.no_grad():
            own[name].copy_(weights[name])
        loaded.append(name)
    return sorted(loaded), [f"{name}: {differ[name]}" for name in sorted(differ)]


def _difference(here: Tensor | None, there: Tensor | None) -> str:
    if here is None:
        return "not here"
    if there is None:
        return "not there"
    if here.shape != there.shape:
        return f"{tuple(there.shape)} there, {tuple(here.shape)} here"
    return "" if here.is_floating_point() == there.is_floating_point() else f"{there.dtype} there, {here.dtype} here"


def _class(spec: Any) -> str:
    """Returns the name of the class that a spec builds; of a network that is spectrally normalized, its own."""
    while isinstance(spec, dict) and isinstance(spec.get("network"), dict):
        spec = spec["network"]
    return str(spec.get("_target_", spec.get(UNKNOWN))) if isinstance(spec, dict) else str(spec)


def _short(name: str) -> str:
    return name.rpartition(".")[2]


def _way_out(source: Source) -> str:
    """Names the file of the other network alone, if there is one."""
    alone = RunFolder(run_folder_of(source.path)).checkpoints / "generator.safetensors"
    return f", or take its generator alone, init_from={alone}" if len(source.classes) > 1 and alone.exists() else ""


def log(report: Mapping[str, Any]) -> None:
    """Logs what was loaded, and each tensor that was not."""
    logger = logging.getLogger(__name__)
    lines = "".join(f"\n  {line}" for line in report["new"])
    rest = f"; {len(report['new'])} do not fit and start anew or are left out:{lines}" if lines else ""
    logger.info("init_from: %d tensors of %s%s", report["loaded"], report["checkpoint"], rest)
    if renamed := report["renamed_labels"]:
        shown = "".join(f"\n  {printable(line)}" for line in renamed[:SHOWN])
        more = f"\n  and {len(renamed) - SHOWN} more" if len(renamed) > SHOWN else ""
        logger.warning("init_from: labels keep their numbers, and have other names there:%s%s", shown, more)
