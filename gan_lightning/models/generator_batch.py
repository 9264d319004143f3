"""Where the phases have batches of their own, or share one: what that asks of the other parts of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gan_lightning.errors import UserError
from gan_lightning.models.phases import of_generator

if TYPE_CHECKING:
    from gan_lightning.models.gan import GAN


def require_fakes_fit(model: GAN) -> None:
    """Raises a UserError if `generator_batch_size` is set, and G has no phase for so many fakes."""
    size = model.generator_batch_size
    if size is None:
        return
    key = f"model.generator_batch_size={size}"
    _require_own_phase(model, key)
    if model.loss.relativistic:
        raise UserError(
            f"{key}: {type(model.loss).__name__} compares each fake with a real sample, of which G's phase has as many "
            "as D's; set it to null. data.generator_real_batch_size gives that phase real samples of its own, and as "
            "many fakes"
        )


def require_reals_fit(model: GAN) -> None:
    """Raises a UserError if the data has real samples of G's own that no loss sees, or the processes cannot share."""
    fakes, parts = model.generator_batch_size, model.trainer.world_size * model.micro_batches
    if fakes and fakes % parts:
        raise UserError(
            f"model.generator_batch_size={fakes}: expected a multiple of {parts}, the number of processes times "
            "model.accumulate"
        )
    reals = getattr(model.trainer.datamodule, "generator_real_batch_size", None)  # type: ignore[attr-defined]
    if not reals:
        return
    key = f"data.generator_real_batch_size={reals}"
    _require_own_phase(model, key)
    if not model.generator_sees_real:
        raise UserError(
            f"{key}: under {type(model.loss).__name__} G sees no real samples; set it to null, or choose "
            "model/loss=relativistic_pairs or relativistic_average"
        )


def require_shareable_fakes(model: GAN) -> None:
    """Raises a ValueError if `reuse_fake` is set, and the phases cannot share their fakes."""
    if not model.reuse_fake:
        return
    if of_generator(model.phases, model.n_critic) != (("discriminator",), ("generator",)):
        raise ValueError("model.reuse_fake=True: expected model/phases=alternating; others share their fakes already")
    if model.micro_batches > 1:
        raise ValueError(
            f"model.reuse_fake=True: keeps G's activations of the whole batch, which model.accumulate="
            f"{model.micro_batches} is to save; set one of them to its default"
        )
    if model.compiles:
        raise ValueError(
            "model.reuse_fake=True: G's part of the graph outlives D's update, and model.compile=True makes one "
            "graph of each update; set one of them to false"
        )


def _require_own_phase(model: GAN, key: str) -> None:
    if ("generator",) not in of_generator(model.phases, model.n_critic):
        raise UserError(f"{key}: G has no phase of its own; set it to null, or choose model/phases=alternating")
    if model.reuse_fake:
        raise UserError(f"{key}: with model.reuse_fake=True both players get the same fakes; set it to null, or false")
