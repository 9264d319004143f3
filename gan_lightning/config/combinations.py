"""Rules for combinations of values. They run after those for single values, on values without problems."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Collection, Iterator
from typing import Any

from gan_lightning.config.allowlist import suggestion
from gan_lightning.config.arguments import argument_problems
from gan_lightning.config.instantiate import Config
from gan_lightning.config.schedule_problems import schedule_problems


def combination_problems(config: Config, faulty: Collection[str]) -> Iterator[str]:
    """Yields a message for each combination of values that does not work.

    Args:
        config: A resolved configuration.
        faulty: The keys that have problems. A rule that reads one of them is left out.
    """
    for keys, problems in _RULES:
        if not any(overlaps(one, other) for one in keys for other in faulty):
            yield from problems(config)


def overlaps(one: str, other: str) -> bool:
    """Whether two keys are the same, or one lies inside of the other."""
    return f"{one}.".startswith(f"{other}.") or f"{other}.".startswith(f"{one}.")


def _section(node: Any, *names: str) -> Config:
    """Returns a section inside of `node`; an empty one if it is left out or is not a section."""
    for name in names:
        node = node.get(name) if isinstance(node, dict) else None
    return node if isinstance(node, dict) else {}


def _network_problems(config: Config) -> Iterator[str]:
    for player, count in (("generator", 1), ("discriminator", _pack(config))):
        yield from _player_problems(player, _section(config, "model", player), config["data"], count)


def _pack(config: Config) -> int:
    """Returns the number of samples that D sees at a time; 1 in a model of another package."""
    pack = config["model"].get("pack", 1)
    return pack if isinstance(pack, int) else 1


def _player_problems(player: str, network: Config, data: Config, pack: int) -> Iterator[str]:
    """Yields messages on a network for samples of another shape or range than the data's."""
    shape, name = data.get("image_shape"), str(network.get("_target_")).removeprefix("gan_lightning.networks.")
    expected = [pack * shape[0], *shape[1:]] if isinstance(shape, list) else shape
    if "image_shape" in network and network["image_shape"] != expected:
        times = f" with model.pack={pack} times the channels, {expected}" if pack > 1 else ""
        yield f"network.{player}.image_shape={network['image_shape']}: expected data.image_shape={shape}{times}"
    for_numbers = name.startswith(("Scalar", "Dirac"))
    if for_numbers and expected != [1]:
        together = f" and model.pack={pack}" if pack > 1 else ""
        yield f"network.{player}: {name} is for numbers, data.image_shape={shape}{together}; choose another network="
    if name.endswith("Generator") and not for_numbers and network.get("bounded", True):
        if data.get("_target_") == "gan_lightning.data.Gaussian1D":
            yield f"network.{player}: {name} ends in tanh, and the data lies beyond [-1, 1]; use network=scalar"
        if data.get("_target_") == "gan_lightning.data.Gaussians2D" and data.get("extent", 0) >= 1:
            yield (
                f"data.extent={data['extent']}: {name} ends in tanh, and the data lies beyond [-1, 1]; choose less "
                f"than 1, or network=maxout network.{player}.bounded=false"
            )


def condition_problems(config: Config) -> Iterator[str]:
    """Yields messages on labels that a network expects and does not get, or gets and does not expect.

    The discriminator may have condition_dim=0 in a conditional model, as in AC-GAN.
    """
    model = config["model"]
    conditional, expected = model.get("conditional"), config["data"].get("condition_dim")
    if conditional and not expected:
        yield "model.conditional=True: the data has no labels; choose other data, or set it to false"
        return
    packed = expected and _pack(config) * expected
    for player, allowed in (("generator", (expected,)), ("discriminator", (packed, 0))):
        given = _section(model, player).get("condition_dim")
        if given and not conditional:
            yield f"network.{player}.condition_dim={given}: it would get no labels; set model.conditional=true"
        elif conditional and given is not None and given not in allowed:
            yield f"network.{player}.condition_dim={given}: expected data.condition_dim={expected}"


def _metric_problems(config: Config) -> Iterator[str]:
    """Yields messages on objectives and monitored metrics that nothing computes."""
    from gan_lightning.metric_names import METRICS, REPORT_METRICS

    plot = _section(config, "callbacks", "samples").get("_target_") == "gan_lightning.callbacks.SurfacePlot"
    known = [f"metric/{metric}" for metric in METRICS]
    monitors = {
        f"callbacks.{name}.monitor": _section(config, "callbacks", name).get("monitor")
        for name in ("checkpoints", "early_stopping")
    }
    for key, name in ({"objective": config.get("objective")} | monitors).items():
        if not isinstance(name, str) or (plot and name in ("metric/modes", "metric/high_quality")):
            continue
        if name.removeprefix("metric/") in REPORT_METRICS:
            yield f"{key}={name}: training does not compute it, only gan-evaluate; choose another, such as metric/fid"
        elif name in METRICS:
            yield f"{key}={name}: there is no such metric; did you mean metric/{name}?"
        elif name in known and not config["callbacks"].get("evaluation"):
            yield f"{key}={name}: nothing computes it; add metrics=classifier"
        elif name == "metric/high_quality":
            yield f"{key}={name}: nothing computes it; add experiment=gaussians_ring"
        elif name.startswith("metric/") and name not in known and suggestion(name[len("metric/") :], list(METRICS)):
            yield f"{key}={name}: there is no such metric{suggestion(name, known)}"


def _trainer_problems(config: Config) -> Iterator[str]:
    trainer = config["trainer"]
    for name, off, instead in (
        ("gradient_clip_val", 0, "model.gradient_clip_norm"),
        ("accumulate_grad_batches", 1, "model.accumulate"),
    ):
        if trainer.get(name) not in (None, off):
            yield f"trainer.{name}={trainer[name]!r}: does not work with alternating optimizers; use {instead}"
    for name in ("enable_progress_bar", "enable_checkpointing", "plugins", "callbacks", "logger"):
        if name in trainer:
            yield f"trainer.{name}: is set by the callbacks and logger groups; leave it out"
    if trainer.get("strategy", "auto") != "auto":
        yield f"trainer.strategy={trainer['strategy']!r}: expected auto, which chooses by the number of devices"
    if trainer.get("sync_batchnorm") and trainer.get("accelerator") == "cpu":
        yield "trainer.sync_batchnorm=True: torch has it on GPUs only; set it to false, or trainer.accelerator=gpu"
    if trainer.get("fast") and trainer.get("deterministic"):
        yield "trainer.fast=True: its kernels are chosen by a trial; set it to false, or trainer.deterministic=false"
    if trainer.get("devices") == -1 and trainer.get("accelerator") == "cpu":
        yield "trainer.devices=-1: stands for all GPUs; with trainer.accelerator=cpu, set a number of processes"


def _standing_problems(config: Config) -> Iterator[str]:
    """Yields a message on synchronized batch norm, which cannot be measured anew by one process alone."""
    batches = config["model"].get("standing_statistics")
    if batches and config["trainer"].get("sync_batchnorm"):
        yield (
            f"model.standing_statistics={batches}: each process measures batch norm for itself, which trainer."
            "sync_batchnorm=True does not allow; set it to 0, or trainer.sync_batchnorm=false"
        )


def _length_problems(config: Config) -> Iterator[str]:
    """Yields a message if a run has several lengths."""
    trainer, unlimited = config["trainer"], {"max_images": "null", "max_steps": "-1", "max_epochs": "-1"}
    given = [name for name in unlimited if trainer.get(name) not in (None, -1)]
    if len(given) > 1:
        first, *others = (f"trainer.{name}={trainer[name]}" for name in given)
        off = " or ".join(f"trainer.{name}={unlimited[name]}" for name in given)
        yield f"{first}: a run has one length, and {' and '.join(others)} is another; keep one, and set {off}"


def _augment_problems(config: Config) -> Iterator[str]:
    """Yields messages on image augmentations that do not fit the samples; it skips those of other packages."""
    augment, shape = _section(config, "model", "augment"), config["data"].get("image_shape")
    if not str(augment.get("_target_")).startswith("gan_lightning.") or not isinstance(shape, list):
        return
    if len(shape) == 1 and augment["_target_"] != "gan_lightning.losses.InstanceNoise":
        yield f"model.augment: data.image_shape={shape}: it needs images; choose augment=null, or other data"
        return
    for key, node in (("model.augment", augment), ("model.augment.transforms", _section(augment, "transforms"))):
        if "quarter_turns" in (node.get("policy") or ()) and shape[-1] != shape[-2]:
            yield f"{key}.policy: quarter_turns need square images; data.image_shape={shape}"


def _consistency_problems(config: Config) -> Iterator[str]:
    """Yields messages on penalties for images where the samples are none."""
    shape = config["data"].get("image_shape")
    for name, penalty in _section(config, "model", "penalties").items():
        is_for_images = _section(penalty).get("_target_") in ("gan_lightning.losses.cr", "gan_lightning.losses.bcr")
        if is_for_images and isinstance(shape, list) and len(shape) == 1:
            yield f"model.penalties.{name}: data.image_shape={shape}: it needs images; choose other model/penalties="


def _batch_problems(config: Config) -> Iterator[str]:
    """Yields messages on batches that the processes, or their micro-batches, cannot share."""
    trainer, model, data = config["trainer"], config["model"], config["data"]
    devices, nodes, parts = trainer.get("devices", 1), trainer.get("num_nodes", 1), model.get("accumulate", 1)
    per_node = len(devices) if isinstance(devices, list) else devices
    if not all(isinstance(count, int) and count > 0 for count in (per_node, nodes, parts)):
        return
    sizes = {"model.generator_batch_size": model.get("generator_batch_size")}
    if data["_target_"].startswith("gan_lightning."):  # elsewhere, they are those of one process
        sizes |= {f"data.{name}": data.get(name) for name in ("batch_size", "generator_real_batch_size")}
    processes = per_node * nodes
    for key, size in sizes.items():
        if not isinstance(size, int):
            continue
        if size % processes:
            yield (
                f"{key}={size}: expected a multiple of the number of processes, "
                f"{processes} (trainer.devices times trainer.num_nodes), which share each batch"
            )
        elif size // processes % parts:
            yield (
                f"model.accumulate={parts}: expected a divisor of a process's part of the batch, "
                f"{size // processes}; change it, or {key}"
            )
        elif size // (processes * parts) % _pack(config):
            yield (
                f"model.pack={_pack(config)}: expected a divisor of the {size // (processes * parts)} samples that a "
                f"process has at once; change it, or {key}"
            )


def _optimizer_problems(config: Config) -> Iterator[str]:
    """Yields messages on schedules that need a metric, and on arguments of one player that the optimizer refuses."""
    model = config["model"]
    if str(_section(model, "scheduler").get("_target_")).endswith("ReduceLROnPlateau"):
        yield "model.scheduler: ReduceLROnPlateau waits for a metric, schedules here go by batches; choose another"
    optimizer = _section(model, "optimizer")
    if str(optimizer.get("_target_")).endswith(("LBFGS", "SparseAdam")):
        yield (
            f"model.optimizer._target_={optimizer['_target_']}: it needs several losses a step, or sparse gradients; "
            "choose another"
        )
    for key in ("generator_optimizer", "discriminator_optimizer"):
        if "_target_" in optimizer:
            yield from argument_problems(f"model.{key}", optimizer | _section(model, key))


def _logger_problems(config: Config) -> Iterator[str]:
    """Yields messages on loggers whose packages are not installed."""
    for name, logger in config["logger"].items():
        kind = str(_section(logger).get("_target_")).rpartition(".")[2]
        package = {"MLFlowLogger": "mlflow", "WandbLogger": "wandb", "CometLogger": "comet_ml"}.get(kind)
        if package and importlib.util.find_spec(package) is None:
            yield f"logger.{name}: needs the package {package}: pip install {package}"


def _freeze_problems(config: Config) -> Iterator[str]:
    count = config["model"].get("freeze_discriminator")
    if count and not (config.get("init_from") or config.get("branch_from")):
        yield (
            f"model.freeze_discriminator={count}: D's first blocks would keep their random weights; add "
            "init_from=<run, checkpoint or exported model>, or set it to 0"
        )


_RULES: tuple[tuple[tuple[str, ...], Callable[[Config], Iterator[str]]], ...] = (
    (("trainer",), _trainer_problems),
    (("trainer",), _length_problems),
    (("trainer.sync_batchnorm", "model.standing_statistics"), _standing_problems),
    (
        (
            *("trainer", "data._target_", "data.batch_size", "data.generator_real_batch_size"),
            *("model.accumulate", "model.generator_batch_size", "model.pack"),
        ),
        _batch_problems,
    ),
    (("model.scheduler", "model.optimizer"), _optimizer_problems),
    (("model", "trainer.max_steps", "trainer.max_epochs", "trainer.max_images", "callbacks.ema"), schedule_problems),
    (("model.freeze_discriminator", "init_from"), _freeze_problems),
    (("callbacks", "objective"), _metric_problems),
    (("logger",), _logger_problems),
    (("model.augment", "data.image_shape"), _augment_problems),
    (("model.penalties", "data.image_shape"), _consistency_problems),
    (("network", "model.generator", "model.discriminator", "model.pack", "data"), _network_problems),
    (("network", "model.generator", "model.discriminator", "model.conditional", "data"), condition_problems),
)
"""The keys that a rule reads, and the rule."""
