"""Loggers whose files lie in the run folder."""

from __future__ import annotations

import lightning.pytorch.loggers
from lightning.pytorch.utilities import rank_zero_only


class TensorBoardLogger(lightning.pytorch.loggers.TensorBoardLogger):
    """Lightning's, with its files in the run folder itself: TensorBoard shows a run by the name of its folder.

    There is no hparams.yaml beside them, as `config.yaml` has everything.

    Args:
        save_dir: The run folder.
        purge_step: The first batch of which earlier points are hidden; None: of none.
    """

    def __init__(self, save_dir: str, purge_step: int | None = None) -> None:
        super().__init__(save_dir, name="", version="", default_hp_metric=False, purge_step=purge_step)

    @rank_zero_only
    def save(self) -> None:
        self.experiment.flush()
