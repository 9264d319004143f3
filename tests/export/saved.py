"""Checkpoints of models that nobody has trained, for what needs no run."""

from pathlib import Path

import torch

from gan_lightning.labels import LabelVocabulary
from gan_lightning.models.rebuild import FORMAT
from gan_lightning.training.checkpoint import write_checkpoint
from tests.models.composed import SMALL, build_model

TAGS = LabelVocabulary([f"tag {n}" for n in range(10)], torch.eye(10) + torch.eye(10).roll(1, 0), torch.ones(10))
CLASSES = LabelVocabulary.of_labels([f"class {n}" for n in range(10)], torch.arange(10))


def save(path: Path, *overrides: str, vocabulary: LabelVocabulary | None = None) -> Path:
    """Writes the checkpoint of a model with random weights, other ones in its average; returns its path."""
    torch.manual_seed(0)
    model = build_model(*overrides)
    model.track_ema()
    with torch.no_grad():
        for parameter in model.generator.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    content = {
        "format": FORMAT,
        "model": model.spec,
        "state_dict": model.state_dict(),
        "global_step": 7,
        "config": {"name": "my_run"},
    }
    write_checkpoint(content | ({"vocabulary": vocabulary.state()} if vocabulary else {}), path)
    return path


def small(path: Path, *overrides: str, vocabulary: LabelVocabulary | None = None) -> Path:
    """The same for an MLP on images of 8x8 pixels."""
    conditional = ["model.conditional=true"] if vocabulary else []
    return save(path, *SMALL, *conditional, *overrides, vocabulary=vocabulary)
