"""Functions that use private names of torch."""

from __future__ import annotations

import torch.distributed as dist


def abort_collectives() -> None:
    """Aborts a collective that waits for a process that has ended.

    Reason: NCCL would wait until its timeout, and `destroy_process_group` waits for the collective. Gloo detects the
    end of the process itself.
    """
    dist.distributed_c10d._abort_process_group()  # type: ignore[attr-defined]
