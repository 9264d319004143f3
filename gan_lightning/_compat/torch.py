"""Functions that use private names of torch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor
from torch.nn.utils import parametrize
from torch.optim import Optimizer

from gan_lightning.errors import UserError


def abort_collectives() -> None:
    """Aborts a collective that waits for a process that has ended.

    Reason: NCCL would wait until its timeout, and `destroy_process_group` waits for the collective. Gloo detects the
    end of the process itself.
    """
    dist.distributed_c10d._abort_process_group()  # type: ignore[attr-defined]


def honors_found_inf(optimizer: Optimizer) -> bool:
    """Whether a step changes nothing, neither weights nor state, while the tensor `optimizer.found_inf` is 1.

    Reason: torch's fused optimizers do, for its GradScaler, which asks for this attribute.
    """
    return getattr(optimizer, "_step_supports_amp_scaling", False)


def set_if_not_finite_(flag: Tensor, values: Sequence[Tensor], one: Tensor) -> None:
    """Sets a flag () to 1 if a value is not finite, in one launch on the device; else leaves it as it is.

    Reason: this is GradScaler's function, which also multiplies the values by a number, here `one`. Public functions
    need several launches.
    """
    torch._amp_foreach_non_finite_check_and_unscale_(list(values), flag, one)


def copy_all_(targets: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
    """Copies each source into its target, in one launch for all pairs of one dtype.

    Reason: torch has no public name for it, and copies tensors of several dtypes one by one.
    """
    pairs: dict[torch.dtype, tuple[list[Tensor], list[Tensor]]] = {}
    for target, source in zip(targets, sources, strict=True):
        ours, theirs = pairs.setdefault(target.dtype, ([], []))
        ours.append(target)
        theirs.append(source)
    for ours, theirs in pairs.values():
        torch._foreach_copy_(ours, theirs)


def forget_parametrizations() -> None:
    """Empties the cache of `parametrize.cached()`.

    Reason: at its end the cache is another dictionary, and the one before keeps the weights of a compiled function,
    which torch would return from it. Without a public function, the compiled function itself begins with another one.
    """
    parametrize._cache = {}


def compiled(function: Callable[..., Any], option: str) -> Callable[..., Any]:
    """Returns the function, compiled as a single graph in which `torch.autograd.grad` may stand.

    Reason: torch traces `autograd.grad` with a setting of its own only, and has no public base class of what compiling
    raises.

    Args:
        function: A function of tensors, and of containers with them.
        option: The option to change if it cannot be compiled, for the message.
    """
    from torch._dynamo import config  # a second of imports
    from torch._dynamo.exc import TorchDynamoException
    from torch._inductor.exc import InvalidCxxCompiler

    fast = torch.compile(function, fullgraph=True, dynamic=False, options={"fallback_random": True})

    def call(*given: Any) -> Any:
        try:
            with config.patch(trace_autograd_ops=True):
                return fast(*given)
        except TorchDynamoException as error:
            if isinstance(getattr(error, "inner_exception", None), InvalidCxxCompiler):
                raise UserError(
                    f"{option}: needs a C++ compiler. Install g++, name yours in CXX, or set false"
                ) from error
            reason = str(error).strip().partition("\n")[0]
            raise UserError(f"{option}: torch cannot compile the losses: {reason}. Set it to false") from error

    return call
