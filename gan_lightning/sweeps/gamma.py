"""Hydra's sweeper for `sweep=gamma`: a race over R1's weight and the learning rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hydra.core.override_parser.types import Override
from omegaconf import OmegaConf

from gan_lightning.errors import UserError
from gan_lightning.schedules import by_name
from gan_lightning.sweeps.race import RaceSweeper
from gan_lightning.sweeps.race_record import Candidate

PENALTIES = ("r1", "r2")
"""The penalties that get the weight: R3GAN's have the same one."""
LEARNING_RATES = ("model.optimizer.lr", "model.generator_optimizer.lr", "model.discriminator_optimizer.lr")
"""The keys of the learning rates, that of both players first."""


def heuristic_gamma(height: int, width: int, batch_size: int) -> float:
    """R1's weight as the code of StyleGAN2-ADA's authors chooses it: 0.0002 * resolution^2 / batch size.

    Karras et al. 2020 (arXiv:2006.06676): `spec.gamma` of cfg=auto in their train.py. As here, it is the weight of half
    the squared norm of the gradient, at images in [-1, 1]. Theirs are squares; of others the number of pixels counts.

    Args:
        height: The height of an image in pixels.
        width: Its width in pixels.
        batch_size: The number of real images in a batch, over all processes.
    """
    return 0.0002 * height * width / batch_size


class GammaSweeper(RaceSweeper):
    """Races weights of R1 with learning rates: each weight with each of them.

    Args:
        factors: The weights, as multiples of `heuristic_gamma`.
        lr_factors: The learning rates, as multiples of those of the configuration.
        race: The arguments of `RaceSweeper`, of which `candidates` has no effect.
    """

    starts_from = LEARNING_RATES

    def __init__(self, factors: Sequence[float], lr_factors: Sequence[float], **race: Any) -> None:
        super().__init__(**race)
        self.factors, self.lr_factors = factors, lr_factors

    def candidates(self, overrides: Mapping[str, Override]) -> list[list[str]]:
        """Returns the overrides of each weight with each learning rate.

        Raises:
            UserError: The model has no R1, or a schedule changes what is varied; the data are no images; a factor is no
                positive number; or the command line sweeps over more than seeds.
        """
        swept = [each.input_line for key, each in overrides.items() if key != "seed" and each.is_sweep_override()]
        if swept:
            raise UserError(
                f"{swept[0]}: sweep=gamma has candidates of its own, for one model; sweep=race takes others"
            )
        for key in ("factors", "lr_factors"):
            found = getattr(self, key)
            if not found or not all(isinstance(factor, int | float) and factor > 0 for factor in found):
                raise UserError(f"hydra.sweeper.{key}={found}: expected numbers above 0")
        self._require_constants()
        return [[*self._weights(one), *self._rates(other)] for one in self.factors for other in self.lr_factors]

    def note(self, winner: Candidate | None) -> str:
        """Returns where the values come from, and whether one of the best is the smallest or the largest tried."""
        factors, lr_factors = (", ".join(f"{factor:g}" for factor in each) for each in (self.factors, self.lr_factors))
        text = (
            f"R1's weight: {_rounded(self._rule())} (0.0002 * height * width / batch size, the rule of StyleGAN2-ADA's "
            f"authors) times {factors}; the learning rate: the configured one times {lr_factors}."
        )
        tried = {
            "weight": ("factors", self.factors, self._weights),
            "learning rate": ("lr_factors", self.lr_factors, self._rates),
        }
        for name, (key, found, overrides) in tried.items():
            edges = [set(overrides(edge(found))) for edge in (min, max)]
            if winner is not None and len(found) > 2 and any(edge <= set(winner.overrides) for edge in edges):
                text += f" The best {name} is at the edge of those tried: hydra.sweeper.{key}=[...] tries others."
        return text

    def _weights(self, factor: float) -> list[str]:
        """The overrides of the penalties for a multiple of the rule's weight."""
        return [f"{key}={_rounded(factor * self._rule())}" for key in self._weight_keys()]

    def _weight_keys(self) -> list[str]:
        penalties = OmegaConf.select(self._config, "model.penalties") or {}
        if not penalties.get("r1"):
            raise UserError(
                "model.penalties has no r1, whose weight sweep=gamma proposes. Choose a model that has it, such as "
                "model=gan_r1 or model=r3gan, or add it: model/penalties=r1"
            )
        return [f"model.penalties.{name}.weight" for name in PENALTIES if penalties.get(name)]

    def _rates(self, factor: float) -> list[str]:
        """The overrides of the learning rates for a multiple of those of the configuration."""
        return [f"{key}={_rounded(factor * lr)}" for key, lr in self._configured_rates().items()]

    def _configured_rates(self) -> dict[str, float]:
        """The learning rates of the configuration by their keys, those of one player only where they are others."""
        found = {key: OmegaConf.select(self._config, key) for key in LEARNING_RATES}
        common = LEARNING_RATES[0]
        return {key: lr for key, lr in found.items() if lr is not None and (key == common or lr != found[common])}

    def _rule(self) -> float:
        shape, batch_size = (OmegaConf.select(self._config, f"data.{name}") for name in ("image_shape", "batch_size"))
        if shape is None or len(shape) != 3 or not isinstance(batch_size, int):
            raise UserError(
                f"data.image_shape={shape}, data.batch_size={batch_size}: sweep=gamma needs images, since R1's weight "
                "depends on their height and width"
            )
        return heuristic_gamma(shape[1], shape[2], batch_size)

    def _require_constants(self) -> None:
        schedules: Any = OmegaConf.to_container(self._config.model.schedules)
        scheduled = {f"model.{name}" for name, _ in by_name(schedules)}
        for key in (*LEARNING_RATES, *self._weight_keys()):
            if key in scheduled:
                name = key.replace("model.", "model.schedules.", 1)
                raise UserError(f"{name}: it changes what sweep=gamma proposes as a constant. Set it to null")


def _rounded(number: float) -> str:
    """A number with two significant digits, as an override."""
    return f"{float(f'{number:.2g}'):.10g}"
