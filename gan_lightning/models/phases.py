"""Who moves when: the phases of a batch, in their order.

A phase is a tuple of players, who take their gradients at the same point and then step. Each function maps the index
of a batch and `n_critic`, the number of discriminator updates per generator update, to the phases of that batch.
"""

from __future__ import annotations

from collections.abc import Callable

from gan_lightning.losses import Player

Phase = tuple[Player, ...]
Phases = Callable[[int, int], tuple[Phase, ...]]


def alternating(batch_index: int, n_critic: int) -> tuple[Phase, ...]:
    """D moves in every batch and G, against the new D, in every n_critic-th: Goodfellow et al. 2014, algorithm 1."""
    generator_moves = (batch_index + 1) % n_critic == 0
    return (("discriminator",), ("generator",)) if generator_moves else (("discriminator",),)


def simultaneous(batch_index: int, n_critic: int) -> tuple[Phase, ...]:
    """Both players move together, from one forward pass: Mescheder et al. 2017 (arXiv:1705.10461), algorithm 1.

    (D, G) <- (D - lr grad_D L_D(D, G),  G - lr grad_G L_G(D, G))
    """
    generator_moves = (batch_index + 1) % n_critic == 0
    return (("discriminator", "generator"),) if generator_moves else (("discriminator",),)
