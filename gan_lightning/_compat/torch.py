"""torch's private names."""

from __future__ import annotations

import torch.distributed as dist
from torch.optim import Optimizer


def abort_collectives() -> None:
    """Makes a collective fail that waits for a process which has ended.

    Reason: NCCL itself would wait for its timeout, and `destroy_process_group` waits for the collective. Gloo
    notices by itself and needs no such call.
    """
    dist.distributed_c10d._abort_process_group()  # type: ignore[attr-defined]


def let_schedule_advance(optimizer: Optimizer) -> None:
    """Lets a learning-rate schedule advance before its optimizer has first stepped, without a warning.

    Reason: G moves in every n_critic-th batch alone, while schedules go by batches; torch has no option for it.
    """
    optimizer._opt_called = True  # type: ignore[attr-defined]


def unscales_in_step(optimizer: Optimizer) -> bool:
    """Whether an optimizer divides gradients by the scale of 16-bit training only in its step: fused ones do.

    Reason: gradients are clipped before the step, so they have to be unscaled before it, too.
    """
    return getattr(optimizer, "_step_supports_amp_scaling", False)
