"""A rollback: a run whose modes collapse goes on from its last healthy checkpoint, with what the doctor advises."""

from __future__ import annotations

import logging

from gan_lightning.callbacks import Doctor
from gan_lightning.callbacks.checkpoints import HEALTHY
from gan_lightning.config.instantiate import Config
from gan_lightning.errors import UserError
from gan_lightning.training import branch, checkpoint
from gan_lightning.training.remedies import applied, changes, in_words
from gan_lightning.training.resume import ResumePoint
from gan_lightning.training.run_folder import RunFolder

log = logging.getLogger(__name__)


def begin(config: Config, folder: RunFolder, doctor: Doctor) -> ResumePoint:
    """Makes the last healthy checkpoint the last one of the run, with what changes.

    The changes are in the checkpoint alone, so that a run that is killed here resumes from before or from after it.

    Args:
        config: The configuration in the run folder, without the changes of rollbacks.
        folder: The run folder.
        doctor: The doctor that has found a collapse.

    Raises:
        UserError: There is no healthy checkpoint.
    """
    path = folder.checkpoints / HEALTHY
    if not path.is_file():
        raise UserError(
            f"{doctor.collapsed}, and {path} does not exist: there is no healthy checkpoint to go back to. Begin "
            "another run, with what callbacks.doctor advises in summary.json"
        )
    saved = checkpoint.read(path)
    made = changes(applied(config, doctor.rollbacks), len(doctor.rollbacks))
    rollback = {
        **{"from": doctor.diagnosis.history[-1].step, "to": saved["global_step"], "reason": doctor.collapsed},
        **{"changes": made, "changed": in_words(made)},
    }
    rollbacks = [*doctor.rollbacks, rollback]
    branch.continue_with(saved, path, applied(config, rollbacks))
    judged_from = len(saved["callbacks"]["Doctor"]["history"])  # what has changed needs time to have an effect
    saved["callbacks"]["Doctor"] |= {"rollbacks": rollbacks, "begin": judged_from, "held": {}}
    last = checkpoint.read(folder.last)  # best.ckpt may be of the batches that are left behind, and remains the best
    saved["callbacks"]["Checkpoints"]["best"] = last["callbacks"]["Checkpoints"]["best"]
    checkpoint.write_checkpoint(saved, folder.last)
    log.warning(
        "%s: the run goes back to batch %d, with %s", doctor.collapsed, saved["global_step"], rollback["changed"]
    )
    return ResumePoint(folder.last, saved["global_step"], rollbacks)
