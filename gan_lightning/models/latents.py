"""Latents of a trained generator: truncation, styles and directions, in z or, if style-based, in w.

A generator is style-based if it maps z to a style w, and w to a sample: it has `map_latents(z, condition)`, which
returns w (batch, w_dim), `synthesize(w)`, and the buffer `w_mean` (w_dim,), the moving average of w.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gan_lightning.errors import UserError

if TYPE_CHECKING:
    from gan_lightning.models.sampling import LatentModel

STANDARD_NORMAL = "standard normal"
LEAST_TRUNCATION = 0.01
"""The smallest bound of |z|, below which nearly all numbers would be drawn in vain."""


def is_style_based(generator: nn.Module) -> bool:
    """Whether a generator has styles w between its latents and its samples."""
    return hasattr(generator, "map_latents") and hasattr(generator, "synthesize")


def truncated_prior(
    model: LatentModel, bound: float, count: int, generator: torch.Generator
) -> Float[Tensor, "count latent"]:
    """Samples latents whose entries z_i are normal and at most `bound` in size: Brock et al. 2019 (arXiv:1809.11096).

    Every entry that is larger is drawn again, section 3.1, "truncation trick".

    Raises:
        UserError: The model's prior is not a standard normal distribution, or the bound is too small.
    """
    if model.prior != STANDARD_NORMAL:
        raise UserError(
            f"--truncation {bound}: the latents of {type(model).__name__} are not normal, but {model.prior}. Leave the "
            "option out"
        )
    if bound < LEAST_TRUNCATION:
        raise UserError(f"--truncation {bound}: expected a number from {LEAST_TRUNCATION}, the largest |z| of an entry")
    z = model.sample_prior(count, generator)
    while (outside := z.abs() > bound).any():
        again = torch.randn(int(outside.sum()), generator=generator, device=generator.device)
        z[outside] = again.to(z)
    return z


@torch.no_grad()
def styles_of(
    model: LatentModel,
    z: Float[Tensor, "num latent"],
    condition: Tensor | None = None,
    raw: bool = False,
    truncation: float | None = None,
) -> Float[Tensor, "num w"]:
    """Returns the styles of latents, on the CPU: w_mean + psi (w - w_mean), Karras et al. 2019 (arXiv:1812.04948).

    Args:
        model: A model whose generator is style-based.
        z: The latents.
        condition: Their condition vectors.
        raw: Whether to use the last weights instead of their average (EMA).
        truncation: psi; None: 1.
    """
    generator: Any = model.sampled_generator(raw).eval()
    place: Any = {"device": model.device, "dtype": model.dtype}
    blocks = range(0, len(z), model.BLOCK)
    w = torch.cat(
        [
            generator.map_latents(
                z[first : first + model.BLOCK].to(**place),
                None if condition is None else condition[first : first + model.BLOCK].to(**place),
            )
            for first in blocks
        ]
    )
    return (w if truncation is None else torch.lerp(generator.w_mean.to(w), w, truncation)).cpu()


def directions(
    generator: nn.Module, dim: int, condition: Float[Tensor, "1 condition"] | None = None
) -> tuple[Float[Tensor, "{dim} {dim}"], Float[Tensor, " {dim}"]]:
    """Returns the directions that change samples most, and their eigenvalues.

    SeFa, Shen & Zhou 2021 (arXiv:2007.06600): they are the eigenvectors of A^T A, eq. 5, where A maps z in the first
    layer that it enters, or w in all layers that it enters. As in the authors' code, every row of A, the weights of one
    unit, has first been divided by its norm.

    Args:
        generator: A trained generator.
        dim: The width of z, or of w.
        condition: A condition vector, for a conditional generator.

    Returns:
        The directions as rows, the largest eigenvalue first; of each, the largest entry is positive.

    Raises:
        UserError: z as a whole enters no layer with a weight matrix.
    """
    weight = torch.cat(list(_entered(generator, dim, condition))).double()
    weight = weight / weight.norm(dim=1, keepdim=True).clamp_min(torch.finfo(weight.dtype).tiny)
    values, vectors = torch.linalg.eigh(weight.T @ weight)
    found = vectors.T.flip(0)
    largest = found.gather(1, found.abs().argmax(1, keepdim=True))
    return found * largest.sign(), values.flip(0)


def _entered(generator: nn.Module, dim: int, condition: Tensor | None) -> Iterator[Tensor]:
    """Yields the weights (units, dim) of the layers that z, or w, enters first among a layer's inputs."""
    weight = next(generator.parameters())
    at = torch.linspace(-1, 1, 2 * dim, device=weight.device, dtype=weight.dtype).view(2, dim)
    found: list[Tensor] = []

    def look(layer: nn.Module, inputs: tuple[Any, ...]) -> None:
        matrix: Any = getattr(layer, "weight", None)
        given: Any = inputs[0] if inputs else None
        is_linear = isinstance(matrix, Tensor) and matrix.ndim == 2 and isinstance(given, Tensor) and given.ndim == 2
        if is_linear and given.shape[1] >= dim and torch.equal(given[:, :dim], at):
            found.append(matrix[:, :dim].detach().cpu())

    styles = is_style_based(generator)
    hooks = [layer.register_forward_pre_hook(look) for layer in generator.modules()]
    try:
        with torch.no_grad():
            if styles:
                generator.synthesize(at)  # type: ignore[operator]
            else:
                generator(at, None if condition is None else condition.to(at).expand(2, -1))
    finally:
        for hook in hooks:
            hook.remove()
    if not found:
        raise UserError(
            f"{type(generator).__name__} has no layer that maps its latents as a whole, so it has no directions; "
            "BigGAN's latents, for example, enter in parts"
        )
    yield from found if styles else found[:1]
