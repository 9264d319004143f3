"""A batch that is processed in parts, for less memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from gan_lightning.errors import UserError
from gan_lightning.losses import StepOutput
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws
from gan_lightning.models.phases import Phase


def in_micro_batches(
    add_gradients: Callable[[Phase, Batch, Draws], StepOutput],
    count: int,
    parameters: Sequence[nn.Parameter],
    players: Phase,
    real: Batch,
    draws: Draws,
) -> StepOutput:
    """Gives the parameters the means of the gradients of all micro-batches.

    Args:
        add_gradients: Adds the gradients of the players' losses on a batch to their parameters.
        count: The number of micro-batches.
        parameters: The players' parameters, without gradients.
        players: The players that are updated.
        real: The samples of the data.
        draws: The random numbers of the whole batch.

    Returns:
        The means of their terms, and all their logits.

    Raises:
        UserError: The batch cannot be divided.
    """
    if len(real.samples) % count:
        raise UserError(f"model.accumulate={count}: expected a divisor of a process's {len(real.samples)} samples")
    done = [
        add_gradients(players, part, draws.micro_batch(index, count)) for index, part in enumerate(real.chunk(count))
    ]
    for gradient in (parameter.grad for parameter in parameters if parameter.grad is not None):
        gradient /= count
    terms = {
        player: {name: torch.stack([part["terms"][player][name] for part in done]).mean() for name in names}
        for player, names in done[0]["terms"].items()
    }
    return StepOutput(
        terms=terms, logits={kind: torch.cat([part["logits"][kind] for part in done]) for kind in done[0]["logits"]}
    )
