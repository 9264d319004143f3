"""Blocks: one iteration of Lightning's loop trains several batches, so that the cost of the loop comes once a block."""

from __future__ import annotations

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.strategies import SingleDeviceStrategy
from lightning.pytorch.utilities.model_helpers import is_overridden

from gan_lightning._compat.lightning import count_batch
from gan_lightning.cadence import StepCallback
from gan_lightning.data import ImageData, SyntheticData
from gan_lightning.distributed.strategy import GANStrategy


class Blocks(Callback):
    """Lets every iteration of Lightning's loop train all batches up to the next one after which something is due.

    Lightning gives the iterator over the batches itself to a `training_step` with the argument `dataloader_iter`, which
    may take several. What a batch computes does not depend on the blocks. Where a callback, a data module or a model
    wants every batch from Lightning, nothing changes.
    """

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if not allows_blocks(trainer, pl_module):
            return
        step = pl_module.training_step
        callbacks = [callback for callback in trainer.callbacks if isinstance(callback, StepCallback)]  # type: ignore[attr-defined]

        def training_step(model: LightningModule, dataloader_iter: Any) -> None:
            ends = False
            while not ends:
                batch, batch_idx, _ = next(dataloader_iter)
                count_batch(trainer, is_last=dataloader_iter.done)
                batch = trainer.strategy.batch_to_device(batch)
                output = step(batch, batch_idx)
                torch.clear_autocast_cache()  # it has the weights before this step
                for callback in callbacks:
                    callback.on_step_end(trainer, model, batch, output)
                ends = dataloader_iter.done or _ends_block(trainer, callbacks)

        pl_module.training_step = training_step.__get__(pl_module)  # type: ignore[method-assign]

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        block = vars(pl_module).get("training_step")
        if block is not None:  # the loader is chosen; with that argument, every `log` would need a batch size
            pl_module.training_step = lambda *batches: block(*batches)  # type: ignore[method-assign]
            if not needs_lightnings_backward(trainer, pl_module):
                pl_module.manual_backward = torch.Tensor.backward  # type: ignore[method-assign]

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        vars(pl_module).pop("training_step", None)
        vars(pl_module).pop("manual_backward", None)


def _ends_block(trainer: Trainer, callbacks: list[StepCallback]) -> bool:
    step = trainer.global_step
    return (
        trainer.should_stop
        or step == trainer.max_steps
        or step % trainer.log_every_n_steps == 0  # type: ignore[attr-defined]
        or any(callback.is_due(trainer) for callback in callbacks)
    )


def allows_blocks(trainer: Trainer, model: LightningModule) -> bool:
    """Whether nothing but callbacks that know blocks sees the batches of a run."""
    hooks = ("on_train_batch_start", "on_train_batch_end")
    data = trainer.datamodule  # type: ignore[attr-defined]
    return (
        isinstance(data, (ImageData, SyntheticData))
        and not is_overridden("on_before_batch_transfer", data)
        and not any(is_overridden(hook, model) for hook in (*hooks, "on_before_batch_transfer", "validation_step"))
        and not any(
            is_overridden(hook, callback, StepCallback if isinstance(callback, StepCallback) else Callback)
            for callback in trainer.callbacks  # type: ignore[attr-defined]
            for hook in hooks
        )
    )


def needs_lightnings_backward(trainer: Trainer, model: LightningModule) -> bool:
    """Whether `manual_backward` does more than torch's: calls a hook that somebody has, or scales the loss.

    It looks for the hooks of all callbacks, which takes 2% of a small step.
    """
    hooks = ("on_before_backward", "on_after_backward")
    return (
        not isinstance(trainer.strategy, (SingleDeviceStrategy, GANStrategy))
        or getattr(trainer.precision_plugin, "scaler", None) is not None
        or any(is_overridden(hook, model) for hook in (*hooks, "backward"))
        or any(is_overridden(hook, callback, Callback) for callback in trainer.callbacks for hook in hooks)  # type: ignore[attr-defined]
    )
