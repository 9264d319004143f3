"""The states of a run: what each of them means, by which numbers it is shown, and what to change."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from gan_lightning.diagnosis import rules
from gan_lightning.diagnosis.rules import History, recent

COLLAPSE = "collapse"
"""The name of the state that a run can be stopped or rolled back for."""


@dataclass(frozen=True)
class State:
    """A state of a run.

    Attributes:
        name: Its short name.
        title: What is said of the run, without a full stop.
        meaning: What that means, for somebody who trains a first GAN.
        sign: The name of the sign that shows it best.
        evidence: The numbers, in words.
        holds: Whether the last signs are those of this state.
        patience: The number of measurements in a row at which it has to hold.
        advice: What to change: overrides, each with what it does.
        source: The literature that the advice comes from.
        hides: The names of states that follow from this one.
        is_problem: Whether something should be changed.
    """

    name: str
    title: str
    meaning: str
    sign: str
    evidence: Callable[[History], str]
    holds: Callable[[History], bool]
    advice: tuple[tuple[str, str], ...]
    source: str
    patience: int = 3
    hides: tuple[str, ...] = ()
    is_problem: bool = True


# The numbers, in words


def _exploding(history: History) -> str:
    now = history[-1]
    return f"gradient norms of {now.gradient_d:.3g} (D) and {now.gradient_g:.3g} (G), mean |logit| {now.logit:.3g}"


def _dead(history: History) -> str:
    names = history[-1].dead
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"the gradient vanishes in every entry of {', '.join(names[:3])}{more}"


def _ema(history: History) -> str:
    now = history[-1]
    return f"samples of the averaged weights are {now.ema_distance:.3g} times as far from the data as those of G itself"


def _separation(history: History) -> str:
    now = history[-1]
    return (
        f"D gives a real sample the larger logit in {now.separation:.1%} of pairs (chance: 50%), gradient norm of G "
        f"{now.gradient_g:.3g}; distance to the data {now.distance:.3g}, best so far "
        f"{min(signs.distance for signs in history):.3g}"
    )


def _diversity(history: History) -> str:
    now = history[-1]
    classes = "" if math.isnan(now.missing) else f"; classes with {now.missing:.0%} of the data are missing"
    return (
        f"two generated samples are {now.spread:.2f} times as far apart as two real ones, and "
        f"{now.coverage:.0%} of real samples have a generated one nearby (real data: 99%){classes}"
    )


def _movement(history: History) -> str:
    return (
        f"from one measurement to the next, a sample of the same latents moves by {recent(history, 'moved', 6):.2f} "
        "times the distance of two real samples, and they stay far from the data"
    )


def _novelty(history: History) -> str:
    return (
        f"a generated sample is {history[-1].novelty:.2f} times as far from its nearest training sample as new real "
        "data is"
    )


def _overfit(history: History) -> str:
    return (
        f"D's logits of new real data are {history[-1].overfit:.0%} of the way from training data to generated samples"
    )


def _distance(history: History) -> str:
    best = min(history, key=lambda signs: signs.distance)
    return (
        f"distance to the data {history[-1].distance:.3g} (0: equal); the best was {best.distance:.3g} at batch "
        f"{best.step:,}"
    )


def _progress(history: History) -> str:
    if math.isnan(history[-1].moved):
        return _distance(history)
    return (
        f"{_distance(history)}; since the last measurement, samples have moved by {history[-1].moved:.2g} times the "
        "distance of two real samples"
    )


R1 = ("model/penalties=r1", "adds R1, a penalty on D's gradient, which keeps G's gradient useful and training stable")
LARGER_R1 = ("model.penalties.r1.weight", "make it 4 to 10 times as large, if the model has R1")
SMALLER_LR = ("model.optimizer.lr", "divide it by 2 to 4, for both players")

STATES = (
    State(
        "explosion",
        "Gradients explode",
        "Logits or gradients have grown without a limit. Losses will soon be infinite, and samples are noise.",
        sign="logit",
        evidence=_exploding,
        holds=rules.explodes,
        advice=(SMALLER_LR, R1, ("model.gradient_clip_norm", "1.0 limits each update; a critic needs a penalty")),
        source="Gulrajani et al. 2017 (arXiv:1704.00028), section 4; Mescheder et al. 2018 (arXiv:1801.04406)",
        hides=("collapse", "oscillation", "discriminator_wins", "discriminator_blind", "no_progress", "few_data"),
    ),
    State(
        "dead_layers",
        "Layers are dead",
        "No gradient reaches some weights any more: the units before or behind them are off for every sample. They "
        "will not come back by themselves.",
        sign="gradient_g",
        evidence=_dead,
        holds=rules.is_dead,
        advice=(SMALLER_LR, ("network.generator.negative_slope", "0.2 instead of ReLU lets a gradient through")),
        source="Maas et al. 2013, Rectifier Nonlinearities Improve Neural Network Acoustic Models",
        hides=("collapse", "oscillation", "discriminator_wins", "discriminator_blind", "no_progress"),
    ),
    State(
        "discriminator_blind",
        "D learns nothing",
        "D does not tell real from generated samples, though they are far apart. So G has nothing to learn from.",
        sign="separation",
        evidence=_separation,
        holds=rules.learns_nothing,
        advice=(
            ("model.discriminator_optimizer.lr", "make it 2 to 10 times as large"),
            ("model.penalties.r1.weight", "make it 10 times as small, if the model has R1"),
            ("model.n_critic", "2 to 5 gives D more updates than G"),
        ),
        source="Heusel et al. 2017 (arXiv:1706.08500), two time scales",
        hides=("collapse", "no_progress", "oscillation"),
    ),
    State(
        "memorization",
        "G repeats training samples",
        "Generated samples are much nearer to training samples than new real data is: G has learned them by heart.",
        sign="novelty",
        evidence=_novelty,
        holds=rules.memorizes,
        advice=(
            ("augment=adaptive", "augments what D sees, for small data"),
            ("data.limit", "use more training samples, if there are any"),
            ("trainer.max_steps", "train a shorter time, or use the checkpoint before it began"),
        ),
        source="Meehan et al. 2020 (arXiv:2004.05675); Karras et al. 2020 (arXiv:2006.06676)",
        hides=("no_progress", "few_data"),
    ),
    State(
        "few_data",
        "Too few data for this D",
        "D tells training samples from new real data: it learns them by heart, and gives G wrong directions.",
        sign="overfit",
        evidence=_overfit,
        holds=rules.overfits,
        advice=(
            ("augment=adaptive", "augments what D sees, as much as D overfits"),
            ("regularizer=lecam", "keeps D's logits near to each other"),
            LARGER_R1,
        ),
        source="Karras et al. 2020 (arXiv:2006.06676), section 3; Tseng et al. 2021 (arXiv:2104.03310)",
        hides=("no_progress",),
    ),
    State(
        "discriminator_wins",
        "D wins",
        "D tells real from generated samples nearly always, and G comes no nearer to the data: its gradient vanishes, "
        "or says the same for all samples.",
        sign="separation",
        evidence=_separation,
        holds=rules.wins,
        advice=(
            R1,
            LARGER_R1,
            ("model.discriminator_optimizer.lr", "divide it by 2 to 4"),
            ("model/loss=non_saturating", "instead of minimax, whose gradient vanishes for G"),
        ),
        source="Arjovsky and Bottou 2017 (arXiv:1701.04862); Mescheder et al. 2018 (arXiv:1801.04406)",
        hides=("no_progress",),
    ),
    State(
        COLLAPSE,
        "Modes collapse",
        "Generated samples are too much alike, or leave out a part of the data, and that does not get better.",
        sign="coverage",
        evidence=_diversity,
        holds=rules.collapses,
        advice=(
            R1,
            LARGER_R1,
            SMALLER_LR,
            ("model.optimizer.betas=[0.0,0.99]", "less momentum"),
            ("model.pack=2", "D sees two samples at a time, and so whether they are alike"),
        ),
        source="Mescheder et al. 2018 (arXiv:1801.04406); Lin et al. 2018 (arXiv:1712.04086), PacGAN",
        hides=("no_progress",),
    ),
    State(
        "oscillation",
        "Training oscillates",
        "G changes much from one measurement to the next, and stays far from the data: the players run in circles.",
        sign="moved",
        evidence=_movement,
        holds=rules.oscillates,
        advice=(
            SMALLER_LR,
            ("model.optimizer.betas=[0.0,0.99]", "less momentum"),
            R1,
            ("callbacks.ema.decay=0.999", "samples of averaged weights do not swing"),
        ),
        source="Mescheder et al. 2018 (arXiv:1801.04406); Gidel et al. 2019 (arXiv:1807.04740); Yazici et al. 2019 "
        "(arXiv:1806.04498)",
        hides=("no_progress",),
    ),
    State(
        "ema_lags",
        "The averaged weights are far behind",
        "Samples come from an average over G's weights (EMA), and it is still full of old weights.",
        sign="ema_distance",
        evidence=_ema,
        holds=rules.ema_lags,
        advice=(
            ("callbacks.ema.decay=0.999", "or another smaller decay"),
            ("callbacks.ema.half_life", "fewer images; and callbacks.ema.rampup=0.05 makes it short at first"),
        ),
        source="Karras et al. 2020 (arXiv:2006.06676), the code's ema_rampup",
        hides=("collapse", "discriminator_wins", "no_progress", "oscillation"),
    ),
    State(
        "no_progress",
        "No progress",
        "G has come no nearer to the data for a third of the run, or has hardly changed since it began.",
        sign="distance",
        evidence=_progress,
        holds=rules.stands_still,
        advice=(
            ("model.optimizer.lr", "10 times as large, if samples hardly move; else try both ways: sweep=lr_betas"),
            ("network", "a larger or another one, such as network=dcgan for images"),
        ),
        source="docs/guide.md",
        patience=1,
    ),
    State(
        "good",
        "All is well",
        "Samples are near to the data and cover it, at a glance; metrics=classifier measures more finely.",
        sign="distance",
        evidence=_distance,
        holds=lambda history: rules.is_good(history[-1]),
        advice=(),
        source="",
        is_problem=False,
    ),
)
"""All states, the gravest first."""
