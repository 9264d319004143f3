"""torch's private names."""

from __future__ import annotations

import torch.distributed as dist


def abort_collectives() -> None:
    """Makes a collective fail that waits for a process which has ended.

    Reason: NCCL itself would wait for its timeout, and `destroy_process_group` waits for the collective. Gloo
    notices by itself and needs no such call.
    """
    dist.distributed_c10d._abort_process_group()  # type: ignore[attr-defined]
