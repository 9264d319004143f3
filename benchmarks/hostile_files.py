"""Attacks by configuration files of somebody else, for hostile.py: folders given as --config-dir."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

Attack = tuple[str, str, Callable[[Any], Any]]
"""Its kind, its title, and a function of the place, `hostile.Place`."""
TINY = [
    *("trainer=cpu", "callbacks.progress=null", "callbacks.samples=null", "network.generator.hidden_dims=[8]"),
    *("network.discriminator.hidden_dims=[8]", "network.generator.latent_dim=4", "data.limit=64"),
    *("data.batch_size=32", "trainer.max_steps=2"),
]
BOMB = "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
"""An alias bomb: some 10^10 values."""


def experiment(
    text: str,
    *more: str,
    file: str = "experiment/evil",
    typed: tuple[str, ...] = ("experiment=evil",),
    command_line: bool = True,
) -> Any:
    """An attack by a file of a folder that is given as --config-dir; `more` are other files: path, text, path, text."""

    def attack(place: Any) -> None:
        import gan_lightning

        files = [file, text, *more]
        for name, content in zip(files[::2], files[1::2], strict=True):
            path = place.here / "conf" / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content.replace("OUTSIDE", str(place.outside)))
        if command_line:
            rerun("--config-dir", str(place.here / "conf"), *TINY, *typed)(place)
        else:
            gan_lightning.train([*TINY, *typed], config_dir=place.here / "conf")

    return attack


def global_(text: str, *more: str, command_line: bool = True) -> Any:
    return experiment("# @package _global_\n" + text, *more, command_line=command_line)


HYDRA = {
    "env_set trusts itself": "hydra: {job: {env_set: {GAN_LIGHTNING_TRUST: evil}}}\n"
    "callbacks: {e: {_target_: evil.Evil}}",
    "env_set of PATH": "hydra: {job: {env_set: {PATH: /tmp}}}",
    "env_copy of a secret": "hydra: {job: {env_copy: [HOSTILE_SECRET]}}",
    "callback": "hydra: {callbacks: {e: {_target_: evil.Evil}}}",
    "callback os.system": "hydra: {callbacks: {e: {_target_: os.system, command: 'touch OUTSIDE/x'}}}",
    "callback subprocess": "hydra: {callbacks: {e: {_target_: subprocess.run, args: [touch, OUTSIDE/x]}}}",
    "job_logging ()": "hydra: {job_logging: {formatters: {simple: {(): evil.run}}}}",
    "job_logging class": "hydra: {job_logging: {handlers: {console: {class: evil.Evil}}}}",
    "job_logging ext://": "hydra: {job_logging: {handlers: {console: {stream: 'ext://evil.run_on_import'}}}}",
    "job_logging file": "hydra: {job_logging: {handlers: {file: {filename: OUTSIDE/x.log}}}}",
    "hydra_logging file": "hydra: {hydra_logging: {handlers: {f: {class: logging.FileHandler, filename: OUTSIDE/x}}}}",
    "hydra_logging ()": "hydra: {hydra_logging: {formatters: {simple: {(): evil.run}}}}",
    "hydra_debug": "defaults: [override /hydra/hydra_logging: hydra_debug]",
    "launcher": "hydra: {mode: MULTIRUN, launcher: {_target_: evil.Evil}}",
    "sweeper": "hydra: {sweeper: {_target_: evil.Evil}}",
    "sweeper.params as a target": "hydra: {sweeper: {params: {_target_: evil.run}}}",
    "object in sweeper.params": "hydra: {sweeper: {params: {seed: {_target_: evil.run}}}}",
    "sampler": "hydra: {sweeper: {sampler: {_target_: evil.run}}}",
    "object by interpolation": "e: {_target_: evil.run}\nhydra: {sweeper: {n_trials: '${e}'}}",
    "sweep of hydra.run.dir": "hydra: {sweeper: {params: {hydra.run.dir: OUTSIDE/x}}}",
    "sweep of +hydra.job.env_set": "hydra: {sweeper: {params: {+hydra.job.env_set.GAN_LIGHTNING_TRUST: evil}}}",
    "sweep of hydra/job_logging": "hydra: {sweeper: {params: {hydra/job_logging: none}}}",
    "output_subdir": "hydra: {output_subdir: ../../outside}",
    "run.dir": "hydra: {run: {dir: OUTSIDE/x}}",
    "run.dir ..": "hydra: {run: {dir: ../outside/x}}",
    "sweep.dir": "hydra: {sweep: {dir: OUTSIDE/x}}",
    "sweep.subdir": "hydra: {sweep: {subdir: ../../../outside/x}}",
    "job.name": "hydra: {job: {name: ../../../outside/x}}",
    "job.chdir": "hydra: {job: {chdir: true}}",
    "searchpath": "hydra: {searchpath: ['pkg://evil']}",
    "help": "hydra: {help: {template: '${oc.env:HOSTILE_SECRET}'}}",
    "whole section by interpolation": "e: {callbacks: {e: {_target_: evil.Evil}}}\nhydra: ${e}",
    "section by package": "defaults: ['/e@hydra.callbacks.e: evil']",
    "name ..": "name: ../../outside/x",
    "name from the environment": "name: ${oc.env:HOSTILE_SECRET}",
    "resume": "resume: OUTSIDE",
    "run_dir": "run_dir: OUTSIDE",
    "option outside": "defaults: [override /model: ../../../../../../../../../../..OUTSIDE/x]",
}
TENSORBOARD = "_target_: lightning.pytorch.loggers.TensorBoardLogger"
"""Lightning's own, which takes a name and a version below its folder; that of `logger=tensorboard` takes neither."""
SECTIONS = {
    "secret": "seed: 1\nobjective: ${oc.env:HOSTILE_SECRET}",
    "secret in a decoded text": "objective: ${oc.decode:'${oc.env:HOSTILE_SECRET}'}",
    "secret by a resolver's name": "e: env\nobjective: '${oc.${e}:HOSTILE_SECRET}'",
    "secret in pieces": "e: $\nobjective: '${oc.decode:\"${e}{oc.env:HOSTILE_SECRET}\"}'",
    "class elsewhere": "callbacks: {e: {_target_: evil.Evil}}",
    "os.system": "callbacks: {e: {_target_: os.system, command: 'touch OUTSIDE/x'}}",
    "nested class": "model: {augment: {_target_: torch.nn.Sequential, args: {_target_: evil.Evil}}}",
    "torch.hub.load": "model: {augment: {_target_: torch.hub.load, repo_or_dir: a/b, model: c}}",
    "torch.load": "model: {augment: {_target_: torch.load, f: OUTSIDE/private.txt}}",
    "name imported by a module": (
        "callbacks: {e: {_target_: gan_lightning.callbacks.importlib.import_module, name: evil}}"
    ),
    "_args_ and _convert_": (
        "callbacks: {e: {_target_: lightning.pytorch.callbacks.Timer, _args_: [1], _convert_: all}}"
    ),
    "_partial_ of a text": "callbacks: {e: {_target_: lightning.pytorch.callbacks.Timer, _partial_: 'yes'}}",
    "ModelCheckpoint": "callbacks: {e: {_target_: lightning.pytorch.callbacks.ModelCheckpoint, dirpath: OUTSIDE/x}}",
    "ModelCheckpoint relative": "callbacks: {e: {_target_: lightning.pytorch.callbacks.ModelCheckpoint, dirpath: x}}",
    "ModelCheckpoint filename": (
        "callbacks: {e: {_target_: lightning.pytorch.callbacks.ModelCheckpoint, every_n_train_steps: 1, "
        "filename: ../../../../outside/x}}"
    ),
    "ModelCheckpoint by default": (
        "logger: {tensorboard: null}\n"
        "callbacks: {e: {_target_: lightning.pytorch.callbacks.ModelCheckpoint, every_n_train_steps: 1}}"
    ),
    "Checkpoints": "callbacks: {checkpoints: {folder: OUTSIDE}}",
    "SampleGrid": "callbacks: {samples: {_target_: gan_lightning.callbacks.SampleGrid, folder: OUTSIDE, num: 4}}",
    "CSVLogger": "logger: {e: {_target_: lightning.pytorch.loggers.CSVLogger, save_dir: OUTSIDE}}",
    "CSVLogger name": (
        "logger: {e: {_target_: lightning.pytorch.loggers.CSVLogger, save_dir: '${run_dir}', name: ../../../outside}}"
    ),
    "TensorBoardLogger version": f"logger: {{e: {{{TENSORBOARD}, save_dir: '${{run_dir}}', version: OUTSIDE/x}}}}",
    "TensorBoardLogger $VARIABLE": (
        f"logger: {{e: {{{TENSORBOARD}, save_dir: '${{run_dir}}', version: $HOSTILE_SECRET}}}}"
    ),
    "TensorBoardLogger home": "logger: {tensorboard: {save_dir: ~/x}}",
    "TensorBoardLogger server": "logger: {tensorboard: {save_dir: 's3://bucket/x'}}",
    "profiler": (
        "trainer: {profiler: {_target_: lightning.pytorch.profilers.SimpleProfiler, dirpath: OUTSIDE, filename: x}}"
    ),
    "profiler by default": "logger: {tensorboard: null}\ntrainer: {profiler: simple}",
    "default_root_dir": "trainer: {default_root_dir: OUTSIDE}",
    "place by interpolation": "e: OUTSIDE\ncallbacks: {checkpoints: {folder: '${e}/x'}}",
    "place as a swept key": ("hydra: {mode: MULTIRUN, sweeper: {params: {callbacks.checkpoints.folder: OUTSIDE}}}"),
}
FILES: list[Attack] = [
    *(("hydra in a file", title, global_(text)) for title, text in HYDRA.items()),
    *(
        ("sections in a file", title, global_(text, command_line="MULTIRUN" in text))
        for title, text in SECTIONS.items()
    ),
    (
        "hydra in a file",
        "file of hydra/launcher",
        experiment("_target_: evil.Evil\n", file="hydra/launcher/evil", typed=("hydra/launcher=evil",)),
    ),
    ("hydra in a file", "header package", experiment("# @package hydra.callbacks\ne: {_target_: evil.Evil}\n")),
    (
        "hydra in a file",
        "header _name_",
        experiment(
            "# @package _name_\ncallbacks: {e: {_target_: evil.Evil}}\n",
            file="experiment/hydra",
            typed=("experiment=hydra",),
        ),
    ),
    (
        "hydra in a file",
        "launcher chosen by a file",
        global_(
            "defaults: [override /hydra/launcher: evil]\nhydra: {mode: MULTIRUN}",
            "hydra/launcher/evil",
            "_target_: evil.Evil\n",
        ),
    ),
    ("YAML in a file", "billion laughs", global_(BOMB)),
    ("YAML in a file", "recursion", global_("a: &a [*a]")),
    ("YAML in a file", "python tag", global_("a: !!python/object/apply:evil.run []")),
    ("YAML in a file", "deep", global_("a: " + "[" * 100_000)),
    ("YAML in a file", "2 MB", global_("a: " + "x" * 2_000_000)),
]


def rerun(*arguments: str) -> Any:
    """The command line with Hydra's own options."""

    def attack(place: Any) -> None:
        from hydra.core.hydra_config import HydraConfig

        from gan_lightning.cli import train

        HydraConfig.instance().cfg = None  # as in a new process
        sys.argv = ["gan-train", *arguments]
        with train._restored_logging():
            train.main()

    return attack


FILES += [
    ("command line", "--experimental-rerun", rerun("--experimental-rerun", "config.pickle")),
    ("command line", "--experimental-rerun, abbreviated", rerun("--exp=config.pickle")),
    (
        "command line",
        "env_set trusts itself",
        rerun(*TINY, "+hydra.job.env_set.GAN_LIGHTNING_TRUST=evil", "+callbacks.e={_target_: evil.Evil}"),
    ),
]
