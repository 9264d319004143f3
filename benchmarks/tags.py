"""How many generated faces have the hair and the eyes that were asked for, measured from their pixels.

python benchmarks/tags.py RUN [RUN ...]      # runs of experiment=cgan_tags_small, or any other on data=avatars
"""

from __future__ import annotations

import argparse

import torch

from gan_lightning.data.images import to_uint8
from gan_lightning.data.synthetic.avatar_colors import EYES, HAIR, measure
from gan_lightning.training import checkpoint


def agreement(run: str, count: int) -> tuple[float, float, float]:
    """The shares of faces whose hair, whose eyes, and whose both are as asked."""
    model = checkpoint.load_model(checkpoint.locate(run))
    assert model.vocabulary is not None
    asked = model.fixed_conditions(count, seed=1)
    assert asked is not None
    faces = torch.cat([to_uint8(block) for block in model.sample_blocks(count, seed=1)])
    right = []
    for palette, seen in zip((HAIR, EYES), measure(faces), strict=True):
        columns = [model.vocabulary.names.index(name) for name in palette]
        right.append(asked[:, columns].argmax(1) == seen)
    hair, eyes = right
    return hair.float().mean().item(), eyes.float().mean().item(), (hair & eyes).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN")
    parser.add_argument("--num", type=int, default=500)
    options = parser.parse_args()
    print(f"chance: hair {1 / len(HAIR):.1%}, eyes {1 / len(EYES):.1%}")
    for run in options.runs:
        hair, eyes, both = agreement(run, options.num)
        print(f"{run}: hair {hair:.1%}, eyes {eyes:.1%}, both {both:.1%} of {options.num} faces")


if __name__ == "__main__":
    main()
