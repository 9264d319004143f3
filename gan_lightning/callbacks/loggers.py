"""What every logger gets that can take it: the configuration, hyper-parameters, pictures, and an end.

Lightning's `Logger` has a method for metrics and one for hyper-parameters; pictures and texts differ between packages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from lightning.pytorch.loggers import Logger, MLFlowLogger, TensorBoardLogger, WandbLogger
from PIL import Image

from gan_lightning.errors import UserError

CHARTS = {
    "GAN": {
        "losses": ["Multiline", ["^loss/discriminator$", "^loss/generator$"]],
        "scores": ["Multiline", ["^score/real$", "^score/fake$"]],
    }
}
"""The charts of several curves in TensorBoard's tab of custom scalars."""


def log_config(logger: Logger, config: dict[str, Any], step: int) -> None:
    """Gives a logger the configuration, whose values are the hyper-parameters of the run.

    Args:
        logger: A logger.
        config: The resolved configuration, in plain containers.
        step: The batch at which TensorBoard shows it.
    """
    text = yaml.safe_dump(config, sort_keys=False)
    if isinstance(logger, TensorBoardLogger):  # its table of hyper-parameters needs the results, at the end
        indented = "".join(f"    {line}\n" for line in text.splitlines())  # a code block in Markdown
        logger.experiment.add_text("config", indented, step)
        logger.experiment.add_custom_scalars(CHARTS)
    elif isinstance(logger, MLFlowLogger):
        _require_own_artifacts(logger, config["logger"])
        logger.experiment.log_text(logger.run_id, text, "config.yaml")
        known = logger.experiment.get_run(logger.run_id).data.params  # MLflow changes no parameter of a run
        logger.log_hyperparams({name: value for name, value in flat(config) if name not in known})
    else:
        logger.log_hyperparams(config)


def log_text(logger: Logger, tag: str, text: str, step: int) -> None:
    """Gives a text in Markdown to a logger; one that takes no texts gets none."""
    if isinstance(logger, TensorBoardLogger):
        logger.experiment.add_text(tag, text, step)
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_text(logger.run_id, text, f"{tag}/{step:08d}.md")
    elif hasattr(logger, "log_text"):  # such as that of Weights & Biases
        logger.log_text(tag, ["text"], [[text]], step)


def log_picture(logger: Logger, tag: str, file: Path, step: int) -> None:
    """Gives a PNG file to a logger; one that takes no pictures gets none."""
    if isinstance(logger, TensorBoardLogger):
        from tensorboard.compat.proto.summary_pb2 import Summary  # a slow import

        with Image.open(file) as picture:
            width, height = picture.size
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=file.read_bytes())
        logger.experiment.file_writer.add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)
        logger.experiment.flush()  # before a later checkpoint has its name: no session would repeat the picture
    elif isinstance(logger, MLFlowLogger):
        logger.experiment.log_artifact(logger.run_id, str(file), tag)  # by its name: another session replaces it
    elif hasattr(logger, "log_image"):  # such as that of Weights & Biases
        logger.log_image(tag, [str(file)], step)


def end(logger: Logger, failed: bool = False) -> None:
    """Ends what a logger has begun; Lightning leaves a run of Weights & Biases open, which the next run would go on."""
    if failed:  # otherwise Lightning calls it
        logger.finalize("failed")
    if isinstance(logger, WandbLogger):
        logger.experiment.finish(exit_code=int(failed))


def flat(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the leaves of nested dicts as numbers or texts, by names such as model/optimizer/lr."""
    if isinstance(node, dict):
        for name, child in node.items():
            yield from flat(child, f"{path}/{name}" if path else str(name))
    else:
        yield path, node if isinstance(node, bool | int | float | str) else str(node)


def _require_own_artifacts(logger: MLFlowLogger, loggers: dict[str, Any]) -> None:
    """Raises a UserError if a database in a file keeps the pictures of its run elsewhere than the configuration says.

    So does one in a run folder that was moved, or that comes from elsewhere and could name any folder.
    """
    place = logger.experiment.get_run(logger.run_id).info.artifact_uri
    for name, node in loggers.items():
        local = str((node or {}).get("tracking_uri")).startswith("sqlite:") and node.get("artifact_location")
        if local and not Path(os.path.realpath(place.removeprefix("file://"))).is_relative_to(os.path.realpath(local)):
            raise UserError(
                f"logger.{name}.artifact_location={local}: the run {logger.run_id} in {node['tracking_uri']} has its "
                f"pictures in {place}. Choose another database, +logger.{name}.tracking_uri=, or +logger.{name}=null"
            )
