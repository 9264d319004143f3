"""Resolvers, `${name:arguments}`: functions that compute values for the YAML files."""

from __future__ import annotations

import functools
import hashlib
import itertools
import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from gan_lightning.config.options import overview
from gan_lightning.config.places import require_links_inside
from gan_lightning.errors import UserError
from gan_lightning.files import AUTO, run_folder_of


def register_resolvers() -> None:
    """Registers the functions of this module as resolvers."""
    OmegaConf.register_new_resolver("unless_steps", _unless_steps, replace=True)
    OmegaConf.register_new_resolver("times", _times, replace=True)
    OmegaConf.register_new_resolver("when", _when, replace=True)
    OmegaConf.register_new_resolver("packed", _packed, replace=True)
    OmegaConf.register_new_resolver("attended", _attended, replace=True)
    OmegaConf.register_new_resolver("count_tags", _count_tags, replace=True)
    OmegaConf.register_new_resolver("count_classes", _count_classes, replace=True)
    OmegaConf.register_new_resolver("count_labels", count_labels, replace=True)
    OmegaConf.register_new_resolver("run_dir", _run_dir, replace=True)
    OmegaConf.register_new_resolver("job_folder", job_folder, replace=True)
    OmegaConf.register_new_resolver("overview", _overview, replace=True)
    OmegaConf.register_new_resolver("direction", _direction, replace=True)


def _unless_steps(max_steps: int, epochs: int, max_images: int | None = None) -> int:
    """Returns the default number of epochs; -1 (no limit) if a number of steps or of images is given."""
    return epochs if max_steps == -1 and max_images is None else -1


def _times(factor: int, count: Any) -> Any:
    """Returns a multiple of a count; None where there is none."""
    return factor * count if isinstance(count, int) else None


def _when(flag: bool, value: Any) -> Any:
    """Returns `value` if `flag` is true, else 0."""
    return value if flag else 0


def _packed(pack: Any, size: Any) -> Any:
    """Returns the width of a condition, or the shape of a sample, for `pack` of them along the channels.

    What is no such size stays as it is: it is reported where it is set.
    """
    if not isinstance(pack, int):
        return size
    if isinstance(size, Sequence) and size and isinstance(size[0], int):
        return OmegaConf.create([pack * size[0], *size[1:]])
    return pack * size if isinstance(size, int) else size


def _attended(image_shape: Any) -> int | None:
    """Returns the height of the map for self-attention: the largest below the image's, up to 64, in G and in D."""
    from gan_lightning.networks.sizes import count_downsamples

    if not isinstance(image_shape, Sequence) or not all(isinstance(size, int) for size in image_shape):
        return None
    try:
        halvings = range(1, count_downsamples(image_shape))
    except ValueError:  # the networks refuse these sizes
        return None
    return next((image_shape[1] >> count for count in halvings if image_shape[1] >> count <= 64), None)


def _count_tags(root: str, nouns: Sequence[str]) -> int:
    """Returns the number of tags in the tag table of an image folder."""
    from gan_lightning.data.io.tags import tag_names

    return len(tag_names(root, nouns))


def _count_classes(root: str) -> int:
    """Returns the number of class folders in an image folder."""
    from gan_lightning.data.io.folders import class_names

    return len(class_names(root))


@functools.cache  # a check resolves it several times, and begins with an empty cache
def count_labels(
    root: str, subset: str | None, revision: str | None, split: str, column: str | None, download: bool
) -> int:
    """Returns the number of labels of a data set of the library Datasets."""
    from gan_lightning.data.io import rows

    return rows.count_labels(root, subset, revision, split, column, download)


def _run_dir(resume: str | None, name: str, branch_from: str | None = None) -> str:
    """Returns the run folder: that of the resumed run, or a new one below logs/, or beside the run of a branch."""
    if ".." in Path(name).parts:
        raise UserError(f"name={name}: it is the name of a folder below logs/, without ..")
    parent = f"logs/{name}" if branch_from is None else str(run_folder_of(branch_from).parent)
    if resume == AUTO:
        return f"{parent}/{_restarted_job()}"
    if resume is not None:
        folder = run_folder_of(resume)
        if not folder.is_dir():
            raise UserError(f"resume={resume}: there is no such folder. Expected the folder of a run")
        require_links_inside(folder)  # Hydra opens its log next
        return str(folder)
    # Processes that a cluster starts have the same job number, but may see different times.
    job = [os.environ[v] for v in ("SLURM_JOB_ID", "SLURM_STEP_ID", "TORCHELASTIC_RUN_ID") if v in os.environ]
    if job not in ([], ["none"]):
        return f"{parent}/{'_'.join(job)}"
    new = f"{parent}/{time.strftime('%Y-%m-%d_%H-%M-%S')}"
    if "RANK" in os.environ:  # torchrun's other processes use the folder that the first one has made
        return new
    others = (f"{new}_{number}" for number in itertools.count(2))  # another run may have begun in the same second
    return new if not Path(new).exists() else next(other for other in others if not Path(other).exists())


def _restarted_job() -> str:
    """Returns the number of this job, which it keeps when the scheduler starts it again.

    Slurm's steps and torchrun's restarts have numbers of their own, which change.
    """
    job = os.environ.get("SLURM_JOB_ID") or os.environ.get("TORCHELASTIC_RUN_ID", "none")
    if job == "none":  # torchrun without --rdzv-id
        raise UserError(
            "resume=auto: expected a run folder that is the same at every start. Give it by hydra.run.dir=logs/NAME. "
            "Only in a job of Slurm, or of torchrun with --rdzv-id=NAME, is it named after the job"
        )
    return job


def _overview(choices: Mapping[str, Any], sources: Sequence[Any]) -> str:
    """Returns the options for Hydra's template of --help, in which $ has another meaning."""
    folders = [Path(source.path) for source in sources if source.schema == "file"]
    return overview(choices, folders).replace("$", "$$")


def _direction(objective: str | None) -> str:
    """Returns the direction of the objective as Optuna names it: "minimize" or "maximize"."""
    from gan_lightning.metric_names import METRICS

    if objective is None:
        raise UserError("objective=null: a search needs one. Expected a logged metric, such as metric/fid")
    return "maximize" if METRICS.get(objective.removeprefix("metric/")) == "max" else "minimize"


def job_folder(typed: str, number: int | str) -> str:
    """Returns the name of a job's folder from its overrides ("lr=0.001,seed=1"), so that a repeated sweep finds it."""
    name = re.sub(r"(^|,)[+~]*[\w./@]*[./@](\w+)=", r"\1\2=", typed).replace("/", "_") or str(number)
    if len(os.fsencode(name)) <= 120:
        return name
    return f"{os.fsencode(name)[:100].decode(errors='ignore')}_{hashlib.sha256(typed.encode()).hexdigest()[:12]}"
