"""What a configuration of the DiracGAN does: its trajectory, its Jacobian, its vector field; by our own step.

A point is theta, the number that G generates, and psi, D's slope.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from gan_lightning.cadence import StepCallback
from gan_lightning.config.instantiate import Config, build
from gan_lightning.losses.terms import total
from gan_lightning.models import GAN
from gan_lightning.models.batch import Batch
from gan_lightning.models.draws import Draws


class Trajectory(StepCallback):
    """Records (theta, psi) after every iteration, which is `n_critic` updates of D and one of G."""

    def __init__(self, start: np.ndarray) -> None:
        self.points = [start]

    def on_step_end(self, trainer: Any, model: Any, batch: Any, output: Any) -> None:
        if trainer.global_step % model.n_critic == 0:
            self.points.append(np.array([model.generator.theta.item(), model.discriminator.psi.item()]))


@torch.no_grad()
def move(model: GAN, point: np.ndarray) -> None:
    """Sets theta and psi."""
    model.generator.theta.fill_(point[0])  # type: ignore[operator, union-attr]
    model.discriminator.psi.fill_(point[1])  # type: ignore[operator, union-attr]


def trajectory(config: Config, iterations: int, start: np.ndarray) -> np.ndarray:
    """Trains from `start`, and returns (theta, psi) there and after each iteration, (iterations + 1, 2)."""
    data, model, recorder = build(config, "data"), build(config, "model").double(), Trajectory(start)
    move(model, start)
    steps = {"max_steps": iterations * model.n_critic}
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    build({"trainer": config["trainer"] | steps}, "trainer", callbacks=[recorder], **quiet).fit(model, data)
    return np.stack(recorder.points)


def jacobian(config: Config, reach: float = 1e-4) -> np.ndarray:
    """The Jacobian of one iteration at (0, 0), by central differences of our own step, with the same noise."""
    ends = [[trajectory(config, 1, sign * reach * axis)[-1] for sign in (1, -1)] for axis in np.eye(2)]
    return np.stack([(there - back) / (2 * reach) for there, back in ends], axis=1)


def spectral_radius(matrix: np.ndarray) -> float:
    """The largest absolute eigenvalue."""
    return float(abs(np.linalg.eigvals(matrix)).max())


def field(config: Config, points: np.ndarray) -> np.ndarray:
    """The direction in which both players go at each of the points (count, 2)."""
    data, model = build(config, "data"), build(config, "model")
    draws = Draws(model.seed, 0, torch.device("cpu"))
    real = Batch(data.sample(data.batch_size, torch.Generator().manual_seed(0)), None)
    arrows = []
    for point in points:
        move(model, point)
        terms = model.losses(("discriminator", "generator"), real, draws)["terms"]
        theta, psi = (
            torch.autograd.grad(total(terms[player]), parameter, retain_graph=True)[0].item()
            for player, parameter in (("generator", model.generator.theta), ("discriminator", model.discriminator.psi))
        )
        arrows.append((-theta, -psi))
    return np.array(arrows)
