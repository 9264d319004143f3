"""Which losses, penalties and phases converge on the DiracGAN? A table beside the paper's verdicts, and a picture.

    python benchmarks/dirac.py --jobs 2 --picture docs/dirac.png --json logs/dirac.json

Mescheder et al. 2018, arXiv:1801.04406: the data is 0, G's samples are theta, D's logits are -psi x. The settings are
those of the authors' notebook (GAN_stability, c1f64c9): SGD with a learning rate of 0.2. An iteration ends with an
update of G. Its `radius` is the spectral radius of its Jacobian at (0, 0): a method converges locally, and as a
geometric series, if that is below 1 (the paper's appendix A.1). The methods of the paper and of the picture are also
trained for 500 iterations from (1, 1): `distance` is the largest distance from (0, 0) in the last 100 of them.
"""

from __future__ import annotations

import argparse
import itertools
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from dirac_dynamics import field, jacobian, spectral_radius, trajectory
from hydra import compose, initialize_config_dir
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tables import head, row
from tqdm import tqdm

from gan_lightning.config.check import check
from gan_lightning.config.instantiate import Config
from gan_lightning.config.options import conf_folder, options
from gan_lightning.config.resolvers import register_resolvers
from gan_lightning.training.process import set_up_process

LOSSES = [loss for loss in options("model/loss") if loss != "boundary_equilibrium"]  # which needs an autoencoder
PENALTIES: dict[str, tuple[str, ...]] = {
    "none": (),
    "r1": ("model/penalties=r1", "model.penalties.r1.weight=0.3"),
    "r2": ("model/penalties=r2", "model.penalties.r2.weight=0.3"),
    "r1 + r2": ("model/penalties=[r1,r2]", "model.penalties.r1.weight=0.3", "model.penalties.r2.weight=0.3"),
    "wgan_gp": ("model/penalties=wgan_gp", "model.penalties.wgan_gp.weight=0.35"),  # the notebook's 0.7 has no factor 2
    "dragan": ("model/penalties=dragan", "model.penalties.dragan.weight=0.35"),
    "instance noise": ("data.noise_std=0.7", "data.batch_size=1000"),
    "clipping": ("model=wgan", "model.clip=1.0"),
}
PHASES = {
    "simultaneous": ("model/phases=simultaneous", "model.n_critic=1"),
    "alternating 1:1": ("model/phases=alternating", "model.n_critic=1"),
    "alternating 1:5": ("model/phases=alternating", "model.n_critic=5"),
}
PUBLISHED = {
    ("minimax", "none"): False,
    ("non_saturating", "none"): False,
    ("wasserstein", "clipping"): False,
    ("wasserstein", "wgan_gp"): False,
    ("minimax", "instance noise"): True,
    ("minimax", "r1"): True,
    ("minimax", "r2"): True,
    ("non_saturating", "r1"): True,
    ("non_saturating", "r2"): True,
}
"""The paper's verdicts, for all phases: figure 3 and section 3. On this D, R1 and R2 are equal."""
PANELS = {
    "GAN": ("minimax", "none"),
    "NSGAN": ("non_saturating", "none"),
    "WGAN, clipped": ("wasserstein", "clipping"),
    "WGAN-GP": ("wasserstein", "wgan_gp"),
    "GAN, instance noise": ("minimax", "instance noise"),
    "GAN + R1": ("minimax", "r1"),
    "LSGAN + R1": ("least_squares", "r1"),
    "R3GAN (pairs + R1 + R2)": ("relativistic_pairs", "r1 + r2"),
}
ITERATIONS = 500
MARGIN = 1e-3
"""What rounding, and the noise of a batch, may do to a radius of 1. The other radii below 1 are below 0.997."""
NEAR = 0.1
"""The distance within which a trajectory has converged: instance noise, whose gradients are noisy, keeps it from 0."""
LIMIT = 2.0
"""Half the width of a panel."""


@dataclass(frozen=True)
class Verdict:
    """How one method ends.

    Attributes:
        radius: The spectral radius of the Jacobian of one iteration at (0, 0).
        converges: Whether it is below 1 by more than the margin.
        distance: The largest distance from (0, 0) in the last 100 iterations; None: it was not trained so long.
        published: The paper's verdict; None where it has none.
        agrees: Whether the radius and the distance say what the paper says.
    """

    loss: str
    penalty: str
    phases: str
    radius: float
    converges: bool
    distance: float | None
    published: bool | None
    agrees: bool | None


def composed(loss: str, penalty: str, phases: str) -> Config:
    """The checked configuration of a method."""
    register_resolvers()
    more = ("trainer=cpu", "run_dir=unused", f"model/loss={loss}", *PENALTIES[penalty], *PHASES[phases])
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        return check(compose("config", ["experiment=dirac", *more]))


def judge(method: tuple[str, str, str]) -> tuple[Verdict, np.ndarray | None]:
    """The verdict on a method, and its trajectory from (1, 1) if the paper or the picture has it."""
    set_up_process()
    torch.set_num_threads(1)
    config, published = composed(*method), PUBLISHED.get(method[:2])
    radius = spectral_radius(jacobian(config))
    converges = radius < 1 - MARGIN
    if published is None and method[:2] not in PANELS.values():
        return Verdict(*method, radius, converges, None, None, None), None
    path = trajectory(config, ITERATIONS, np.ones(2))
    distance = float(np.linalg.norm(path[-100:], axis=1).max())
    agrees = None if published is None else converges == (distance < NEAR) == published
    return Verdict(*method, radius, converges, distance, published, agrees), path


def draw_panel(axes: Axes, title: str, paths: dict[str, np.ndarray], config: Config) -> None:
    """A method's vector field, and its trajectories by their phases."""
    axis = np.linspace(-LIMIT, LIMIT, 12)
    points = np.array(list(itertools.product(axis, axis)))
    axes.quiver(*points.T, *field(config, points).T, color="0.7")
    for (phases, path), color in zip(paths.items(), ("tab:orange", "tab:blue", "tab:green"), strict=True):
        axes.plot(*path.T, color=color, linewidth=0.8, label=phases)
        axes.plot(*path[-1], "o", color=color, markersize=5)
    axes.plot(*path[0], "o", color="tab:red", markersize=5, label="start")
    axes.plot(0, 0, "k+", markersize=10, label="data and flat D")
    clip = config["model"].get("clip")
    for forbidden in ((clip, LIMIT), (-LIMIT, -clip)) if clip else ():
        axes.axhspan(*forbidden, color="0.2", alpha=0.3)
    axes.set(title=title, xlim=(-LIMIT, LIMIT), ylim=(-LIMIT, LIMIT), aspect="equal", xlabel="θ", ylabel="ψ")


def picture(paths: dict[tuple[str, str, str], Any]) -> Figure:
    """A panel for each of `PANELS`."""
    figure = Figure(figsize=(14, 7.6), dpi=80, layout="constrained")
    for axes, (title, method) in zip(figure.subplots(2, 4).flat, PANELS.items(), strict=True):
        draw_panel(axes, title, {p: paths[(*method, p)] for p in PHASES}, composed(*method, "simultaneous"))
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure


def print_tables(verdicts: list[Verdict]) -> None:
    """The methods of the paper, with numbers; then every loss with every penalty."""
    say = {True: "converges", False: "does not"}
    print(head(["loss", "penalty", "phases", "radius", "distance", "ours", "paper", "agree"]))
    for v in verdicts:
        if v.published is not None:
            cells = [v.loss, v.penalty, v.phases, f"{v.radius:.4f}", f"{v.distance:.2g}"]
            print(row([*cells, say[v.converges], say[v.published], "yes" if v.agrees else "**no**"]))
    print("\nWhich phases converge:\n")
    print(head(["loss", *PENALTIES]))
    for loss in LOSSES:
        cells = []
        for penalty in PENALTIES:
            phases = [v for v in verdicts if (v.loss, v.penalty) == (loss, penalty)]
            good = [v.phases.removeprefix("alternating ") for v in phases if v.converges]
            cells.append("" if not phases else "all" if len(good) == len(phases) else ", ".join(good) or "none")
        print(row([loss, *cells]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--picture", type=Path, help="where to write the trajectories, a PNG file")
    parser.add_argument("--json", type=Path, help="where to write the verdicts")
    choices = parser.parse_args()
    every = itertools.product(LOSSES, PENALTIES, PHASES)
    methods = [(loss, penalty, p) for loss, penalty, p in every if penalty != "clipping" or loss == "wasserstein"]
    with ProcessPoolExecutor(choices.jobs) as pool:
        found = list(tqdm(pool.map(judge, methods), total=len(methods), unit="method"))
    verdicts = [verdict for verdict, _ in found]
    print_tables(verdicts)
    if choices.json:
        choices.json.write_text(json.dumps([asdict(verdict) for verdict in verdicts], indent=1) + "\n")
    if choices.picture:
        picture(dict(zip(methods, (path for _, path in found), strict=True))).savefig(choices.picture)


if __name__ == "__main__":
    main()
