"""The phases of a batch, in their order: which players are updated, and when.

A phase is a tuple of players. They compute their gradients at the same weights, and then all of them step. Each
function maps the index of a batch and `n_critic`, the number of discriminator updates per generator update, to the
phases of that batch.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping

from gan_lightning.losses import GeneratorRegularizer, Player

Phase = tuple[Player, ...]
Phases = Callable[[int, int], tuple[Phase, ...]]


def alternating(batch_index: int, n_critic: int) -> tuple[Phase, ...]:
    """Updates D in every batch, then G in every n_critic-th batch: Goodfellow et al. 2014, algorithm 1."""
    updates_generator = (batch_index + 1) % n_critic == 0
    return (("discriminator",), ("generator",)) if updates_generator else (("discriminator",),)


def simultaneous(batch_index: int, n_critic: int) -> tuple[Phase, ...]:
    """Updates both players from one forward pass.

        (D, G) <- (D - lr grad_D L_D(D, G),  G - lr grad_G L_G(D, G))

    Mescheder et al. 2017 (arXiv:1705.10461), algorithm 1.
    """
    updates_generator = (batch_index + 1) % n_critic == 0
    return (("discriminator", "generator"),) if updates_generator else (("discriminator",),)


def of_generator(phases: Phases, n_critic: int) -> tuple[Phase, ...]:
    """Returns the phases of the first batch in which G is updated; () if none of the first 10,000 updates it."""
    batches = (phases(batch_index, n_critic) for batch_index in range(10_000))
    return next((found for found in batches if any("generator" in players for players in found)), ())


def batches_of_update(phases: Phases, n_critic: int, batch_index: int) -> int:
    """Returns the number of batches after G's update before `batch_index`, up to this one with its update of G."""
    before = range(batch_index - 1, -1, -1)
    last = next((i for i in before if any("generator" in players for players in phases(i, n_critic))), -1)
    return batch_index - last


def require_regular(phases: Phases, n_critic: int, regularizers: Mapping[str, GeneratorRegularizer]) -> None:
    """Raises a ValueError if a regularizer belongs to every n-th update of G, and its updates are not at a distance."""
    lazy = {name: part.every_n_updates for name, part in regularizers.items() if part.every_n_updates > 1}
    updates = [any("generator" in players for players in phases(index, n_critic)) for index in range(4 * n_critic)]
    if lazy and updates != [(index + 1) % n_critic == 0 for index in range(4 * n_critic)]:
        name, every = next(iter(lazy.items()))
        raise ValueError(
            f"model.generator_regularizers.{name}.every_n_updates={every}: expected G to be updated in every "
            "n_critic-th batch; choose model/phases=alternating, or set it to 1"
        )


def critic_warmup(
    batch_index: int, n_critic: int, critic_steps: int = 100, first_updates: int = 25, repeat_every: int = 500
) -> tuple[Phase, ...]:
    """Alternates with more updates of D before some of G's, as the code of Arjovsky et al. 2017 (arXiv:1701.07875).

    Update g of G, from 0 on, comes after `critic_steps` of D instead of `n_critic` if g < first_updates, or if g is a
    multiple of `repeat_every`. The paper's algorithm 1 has `n_critic` throughout.
    """

    def batches_before(update: int) -> int:
        first = min(update, first_updates)
        repeated = -(-update // repeat_every) - -(-first // repeat_every)  # multiples from `first` on: two ceilings
        return n_critic * update + (critic_steps - n_critic) * (first + repeated)

    updates = bisect_left(range(batch_index + 2), batch_index + 1, key=batches_before)
    updates_generator = batches_before(updates) == batch_index + 1
    return (("discriminator",), ("generator",)) if updates_generator else (("discriminator",),)
