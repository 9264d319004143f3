"""Processes that a cluster starts, by srun or torchrun: the first one decides on the run, and the others follow it."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import torch.distributed as dist
from lightning.fabric.plugins import ClusterEnvironment
from lightning.fabric.plugins.environments import (
    LSFEnvironment,
    MPIEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)

from gan_lightning.errors import UserError

Decision = Any
"""What JSON can write: a process takes no code from the network."""
PATIENCE = timedelta(minutes=30)
"""The time to wait for a process that does not come; torch waits as long for a process group."""


def cluster_environment() -> ClusterEnvironment | None:
    """Returns the environment of a cluster that has started this process and others; None outside of a cluster.

    The order is that of Lightning's Trainer.
    """
    for kind in (TorchElasticEnvironment, SLURMEnvironment, LSFEnvironment, MPIEnvironment):
        if kind.detect():
            environment = kind()
            return environment if environment.world_size() > 1 else None
    return None


def decide_together(decide: Callable[[], Decision], environment: ClusterEnvironment) -> tuple[Decision, dist.Store]:
    """Calls `decide` in the first process only, and returns its result in all of them.

    A process that decided for itself could see a folder that the first process, or one that was killed, is changing.

    Args:
        decide: The function; its result consists of what JSON can write.
        environment: The environment of the cluster.

    Returns:
        The result, and a store of this start alone for the process group. The store of torchrun outlives a restart,
        and in it processes would find the addresses of those that were killed.

    Raises:
        UserError: `decide` has raised it, in the first process.
        RuntimeError: The first process has failed, or a process does not come.
    """
    rank, size = environment.global_rank(), environment.world_size()
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = environment.main_address, str(environment.main_port)
    shared, _, _ = next(iter(dist.rendezvous("env://", rank, size, timeout=PATIENCE)))
    store = dist.PrefixStore("gan_lightning", shared)
    if rank == 0:
        return _tell(store, size, decide)
    number = uuid.uuid4().hex  # a question of this start, not of one before
    store.set(f"question/{rank}", number)
    answer = json.loads(store.get(f"answer/{number}"))
    store.set(f"{answer['start']}/read/{rank}", "")
    if "refusal" in answer:
        raise UserError(answer["refusal"])
    if "failure" in answer:
        raise RuntimeError(f"the first process failed: {answer['failure']}")
    return answer["decision"], dist.PrefixStore(answer["start"], store)


def _tell(store: dist.Store, size: int, decide: Callable[[], Decision]) -> tuple[Decision, dist.Store]:
    """Decides, and answers the other processes until each of them has read the decision."""
    start = uuid.uuid4().hex
    try:
        decision = decide()
    except UserError as error:
        _answer(store, size, {"start": start, "refusal": str(error)})
        raise
    except Exception as error:
        _answer(store, size, {"start": start, "failure": str(error)})
        raise
    _answer(store, size, {"start": start, "decision": decision})
    return decision, dist.PrefixStore(start, store)


def _answer(store: dist.Store, size: int, answer: dict[str, Any]) -> None:
    content, missing, deadline = json.dumps(answer), set(range(1, size)), time.monotonic() + PATIENCE.total_seconds()
    while missing:
        for rank in list(missing):
            if store.check([f"{answer['start']}/read/{rank}"]):
                missing.remove(rank)
            elif store.check([f"question/{rank}"]):  # perhaps that of a killed process, until the new one asks
                store.set(f"answer/{store.get(f'question/{rank}').decode()}", content)
        if time.monotonic() > deadline:
            raise RuntimeError(f"processes that did not come: ranks {', '.join(map(str, sorted(missing)))}")
        time.sleep(0.05)
