"""Attacks by run folders and checkpoints of somebody else, for hostile.py."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile_files import BOMB, Attack

# Run folders


def resumed(change: Callable[[Path, Any], Any], *typed: str) -> Any:
    def attack(place: Any) -> None:
        import gan_lightning

        folder = place.run()
        change(folder, place)
        gan_lightning.train([f"resume={folder}", "trainer.max_steps=4", *typed])

    return attack


def saved(key: str, value: Any) -> Callable[[Path, Any], Any]:
    """Changes one key of a run folder's config.yaml."""

    def change(folder: Path, place: Any) -> None:
        import yaml

        config = node = yaml.safe_load((folder / "config.yaml").read_text())
        *path, last = key.split(".")
        for name in path:
            node = node.setdefault(name, {})
        node[last] = _placed(value, place)
        (folder / "config.yaml").write_text(yaml.safe_dump(config))

    return change


def _placed(value: Any, place: Any) -> Any:
    if isinstance(value, dict):
        return {name: _placed(child, place) for name, child in value.items()}
    return value.replace("OUTSIDE", str(place.outside)) if isinstance(value, str) else value


def text(content: str) -> Callable[[Path, Any], Any]:
    return lambda folder, place: (folder / "config.yaml").write_text(content)


def link(name: str, target: str = "") -> Callable[[Path, Any], Any]:
    """Replaces a file or folder of the run by a link."""

    def change(folder: Path, place: Any) -> None:
        path = folder / name
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        path.symlink_to(place.outside / target)

    return change


def pipe(folder: Path, place: Any) -> None:
    (folder / "config.yaml").unlink()
    os.mkfifo(folder / "config.yaml")


CALLBACKS, LOGGERS = "lightning.pytorch.callbacks", "lightning.pytorch.loggers"
TENSORBOARD = {"_target_": f"{LOGGERS}.TensorBoardLogger", "save_dir": "stranger"}
"""Lightning's own, in the run folder: that of `logger=tensorboard` takes neither a name nor a folder below."""
SAVED = {
    "secret": ("objective", "${oc.env:HOSTILE_SECRET}"),
    "secret in data.root": ("data.root", "${oc.env:HOSTILE_SECRET}"),
    "secret in a callback": ("callbacks.checkpoints.monitor", "${oc.env:HOSTILE_SECRET}"),
    "ModelCheckpoint": ("callbacks.e", {"_target_": f"{CALLBACKS}.ModelCheckpoint", "dirpath": "OUTSIDE"}),
    "OnExceptionCheckpoint": ("callbacks.e", {"_target_": f"{CALLBACKS}.OnExceptionCheckpoint", "dirpath": "OUTSIDE"}),
    "Checkpoints": ("callbacks.checkpoints.folder", "OUTSIDE"),
    "Video": ("callbacks.video.folder", "OUTSIDE"),
    "CSVLogger": ("logger.e", {"_target_": f"{LOGGERS}.CSVLogger", "save_dir": "OUTSIDE"}),
    "TensorBoardLogger": ("logger.tensorboard.save_dir", "OUTSIDE"),
    "TensorBoardLogger name": ("logger.e", TENSORBOARD | {"name": "../../outside"}),
    "TensorBoardLogger sub_dir": ("logger.e", TENSORBOARD | {"sub_dir": "../../../../outside"}),
    "profiler": ("trainer.profiler", {"_target_": "lightning.pytorch.profilers.SimpleProfiler", "dirpath": "OUTSIDE"}),
    "default_root_dir": ("trainer.default_root_dir", "OUTSIDE"),
    "run_dir is the other folder": ("run_dir", "OUTSIDE"),
    "run_dir is /": ("run_dir", "/"),
    "run_dir is a list": ("run_dir", ["a"]),
    "class elsewhere": ("callbacks.e", {"_target_": "evil.Evil"}),
    "class in the model": ("model.generator", {"_target_": "evil.Evil"}),
    "Trainer's plugins": ("trainer.plugins", {"_target_": "evil.Evil"}),
    "download": (
        "data",
        {
            "_target_": "gan_lightning.data.MNIST",
            "image_shape": [1, 8, 8],
            "root": "OUTSIDE/x",
            "download": True,
            "batch_size": 32,
            "condition_dim": 10,
        },
    ),
    "hydra": ("hydra", {"callbacks": {"e": {"_target_": "evil.Evil"}}}),
}
FOLDERS: list[Attack] = [
    *(("resumed folder", title, resumed(saved(*change))) for title, change in SAVED.items()),
    *(
        ("links in a folder", name, resumed(link(name)))
        for name in ("checkpoints", "samples", "csv_from_2", "wandb", "mlflow")
    ),
    *(
        ("links in a folder", name, resumed(link(name, "private.txt")))
        for name in (
            *("train.log", ".lock", "summary.json", "checkpoints/last.ckpt", "csv_from_2", "report.html"),
            *("samples/step_00000002.png", "samples/video.mp4", "events.out.tfevents.0"),
        )
    ),
    ("YAML in a folder", "billion laughs", resumed(text(BOMB))),
    ("YAML in a folder", "recursion", resumed(text("a: &a [*a]"))),
    ("YAML in a folder", "python tag", resumed(text("a: !!python/object/apply:evil.run []"))),
    ("YAML in a folder", "deep", resumed(text("a: " + "[" * 100_000))),
    ("YAML in a folder", "deep, 900 kB", resumed(text("- " * 450_000))),
    ("YAML in a folder", "100 MB", resumed(text("a: " + "x" * 100_000_000))),
    ("YAML in a folder", "a list", resumed(text("- 1"))),
    (
        "YAML in a folder",
        "bytes",
        resumed(lambda folder, place: (folder / "config.yaml").write_bytes(b"\xff\xfe")),
    ),
    (
        "YAML in a folder",
        "named pipe",
        resumed(pipe),
    ),
]


# Checkpoints


def checkpoint(change: Callable[[dict[str, Any]], Any], use: str = "load") -> Any:
    """An attack by the content of a checkpoint, through one of its readers."""

    def attack(place: Any) -> None:
        import torch

        import gan_lightning
        from gan_lightning.checksum import append_checksum
        from gan_lightning.cli import generate

        path = place.run() / "checkpoints" / "last.ckpt"
        content = torch.load(path, weights_only=True)
        change(content)
        _fill(content, place)
        torch.save(content, path)
        append_checksum(path)
        if use == "generate":
            generate.main([str(path), "--out", str(place.here / "stranger" / "grid.png"), "--num", "4"])
        elif use == "evaluate":
            gan_lightning.evaluate(path, num=10, repeats=1, extractor="random")
        else:
            gan_lightning.load(path).sample(2)

    return attack


def _fill(node: Any, place: Any) -> None:
    for name, child in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if isinstance(child, str):
            node[name] = child.replace("OUTSIDE", str(place.outside))
        else:
            _fill(child, place)


def spec(key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """Changes one key of a checkpoint."""

    def change(content: dict[str, Any]) -> None:
        node: Any = content
        *path, last = key.split(".")
        for name in path:
            node = node[name]
        node[last] = value

    return change


MODEL = {
    "class elsewhere": ("model.generator", {"_target_": "evil.Evil"}),
    "model elsewhere": ("model._target_", "evil.Evil"),
    "_partial_": ("model.generator._partial_", True),
    "_convert_": ("model.generator._convert_", "all"),
    "_args_": ("model.generator._args_", [1]),
    "os.system": ("model.generator", {"_target_": "os.system", "command": "touch OUTSIDE/x"}),
    "builtins.exec": ("model.generator", {"_target_": "builtins.exec", "source": "1"}),
    "dots": ("model.generator._target_", "..evil.Evil"),
    "no dots": ("model.generator._target_", "evil"),
    "empty": ("model.generator._target_", ""),
    "a number": ("model.generator._target_", 1),
    "a list": ("model.generator._target_", ["evil", "Evil"]),
    "module's import": ("model.generator._target_", "gan_lightning.networks.torch.hub.load"),
    "dunder": ("model.generator._target_", "gan_lightning.networks.__class__"),
    "torch.hub.load": ("model.generator", {"_target_": "torch.hub.load", "repo_or_dir": "a/b", "model": "c"}),
    "torch.load": ("model.generator", {"_target_": "torch.load", "f": "OUTSIDE/private.txt"}),
    "torch.nn function": ("model.generator", {"_target_": "torch.nn.init.ones_", "tensor": 1}),
    "torch.nn.functional": ("model.generator", {"_target_": "torch.nn.functional.relu", "input": 1}),
    "torch.nn.modules.module": (
        "model.generator",
        {"_target_": "torch.nn.modules.module.register_module_forward_hook"},
    ),
    "torch.optim": ("model.generator", {"_target_": "torch.optim.Adam", "params": []}),
    "Trainer": ("model.generator", {"_target_": "lightning.Trainer", "default_root_dir": "OUTSIDE"}),
    "ModelCheckpoint": ("model.generator", {"_target_": f"{CALLBACKS}.ModelCheckpoint", "dirpath": "OUTSIDE"}),
    "data in the model": ("model.generator", {"_target_": "gan_lightning.data.ImageFolder", "root": "OUTSIDE"}),
    "huge layer": ("model.generator.hidden_dims", [10**9]),
    "huge latent": ("model.generator.latent_dim", 10**12),
    "huge number": ("model.generator.hidden_dims", [10**400]),
    "a million layers": ("model.generator.hidden_dims", [1] * 10**6),
    "huge layer in a wrong model": (
        "model",
        {
            "_target_": "gan_lightning.models.GAN",
            "evil": 1,
            "generator": {"_target_": "torch.nn.Linear", "in_features": 10**6, "out_features": 10**6},
        },
    ),
    "Embedding": ("model.generator", {"_target_": "torch.nn.Embedding", "num_embeddings": 10**12, "embedding_dim": 1}),
    "deep spec": ("model.generator", json.loads('{"a": ' * 300 + "1" + "}" * 300)),
    "vocabulary of numbers": ("vocabulary", {"names": 5}),
    "vocabulary of bytes": ("vocabulary", {"names": [b"x"], "frequencies": ["y"]}),
    "vocabulary with more": ("vocabulary", {"evil": "evil.Evil"}),
    "text as weights": ("state_dict", {"generator": "x"}),
    "model of text": ("model", "evil.Evil"),
}
DATA = {
    "pictures of a folder": {"_target_": "gan_lightning.data.ImageFolder", "image_shape": [1, 8, 8], "root": "OUTSIDE"},
    "tagged pictures": {
        "_target_": "gan_lightning.data.TaggedImages",
        "image_shape": [3, 8, 8],
        "root": "OUTSIDE",
        "nouns": ["a"],
    },
    "download": {
        "_target_": "gan_lightning.data.MNIST",
        "image_shape": [1, 8, 8],
        "root": "OUTSIDE/x",
        "download": True,
    },
    "download by default": {"_target_": "gan_lightning.data.CIFAR10", "image_shape": [3, 8, 8], "root": "OUTSIDE/x"},
    "download, default root": {"_target_": "gan_lightning.data.MNIST", "image_shape": [1, 8, 8]},
    "class elsewhere": {"_target_": "evil.Evil"},
    "no class": {"root": "OUTSIDE"},
    "class of a number": {"_target_": 5},
    "model in the data": {"_target_": "gan_lightning.models.GAN"},
    "path of a number": {"_target_": "gan_lightning.data.ImageFolder", "image_shape": [1, 8, 8], "root": 0},
    "wrong arguments": {"_target_": "gan_lightning.data.Digits", "image_shape": "evil"},
}
CHECKPOINTS: list[Attack] = [
    *(("checkpoint: load", title, checkpoint(spec(*change))) for title, change in MODEL.items()),
    *(("checkpoint: generate", title, checkpoint(spec("data", data), "generate")) for title, data in DATA.items()),
    *(("checkpoint: evaluate", title, checkpoint(spec("data", data), "evaluate")) for title, data in DATA.items()),
]
