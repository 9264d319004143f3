"""What earlier versions called by another name: the new one is told where the old one is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

KEYS = {
    r"(network\..*)\bhidden": r"\1hidden_dims",
    r"(network\..*)\bwidths": r"\1channels",
    r"(network\..*)\bwidth": r"\1base_channels",
    r"(network\..*)\bkernel": r"\1kernel_size",
    r"(network\..*)\bhalvings": r"\1num_downsamples",
    r"(network\..*)\bcode": r"\1code_dim",
    r"(network\..*)\blabel_width": r"\1label_embedding_dim",
    r"regulariser": "regularizer",
    r"model\.regularisers(.*)": r"model.regularizers\1",
    r"model\.augment\.share": "model.augment.p",
    r"model\.augment\.images_to_one": "model.augment.ada_images",
    r"model\.rate": "model.loss.lambda_k",
    r"model\.gamma": "model.loss.gamma",
    r"data\.test_share": "data.test_fraction",
    r"data\.labelled_share": "data.labeled_fraction",
    r"data\.unlabelled": "data.unlabeled",
    r"data\.reach": "data.extent",
    r"callbacks\.film(.*)": r"callbacks.video\1",
}
"""Keys of the command line, as patterns of the whole key."""

ONE_NUMBER = {"faces": {"hidden_dims": "hidden_dim"}, "scalar": {"base_channels": "hidden_dim"}}
"""Networks in which a key has become another than in the rest of them."""

VALUES = {
    (r"network/join(@.*)?", "plane"): "concat",
    (r"(.*\.)?join", "plane"): "concat",
    (r".*\.policy", "colour"): "color",
}
"""Values, by the pattern of their key."""

TARGETS = {
    r"gan_lightning\.(penalties|augmentations|regularisers)\.(\w+)": r"gan_lightning.losses.\2",
    r"gan_lightning\.metrics\.(\w+)": r"gan_lightning.evaluation.\1",
    r"gan_lightning\.models\.RelativisticAverageGAN": "gan_lightning.models.RelativisticGAN",
    r"gan_lightning\.callbacks\.Film": "gan_lightning.callbacks.Video",
    r"gan_lightning\.data\.DrawnData": "gan_lightning.data.SyntheticData",
    r"gan_lightning\.sweeps\.Sweep": "gan_lightning.sweeps.callback.Sweep",
}
"""What a `_target_` names."""


def new_target(target: str) -> str | None:
    """What a class or function is called that was called `target`; None where it never was."""
    return _replaced(TARGETS, target)


def hints(overrides: Sequence[str], network: str = "") -> Iterator[str]:
    """A line for each typed override that has an earlier version's name in it.

    Args:
        overrides: as typed, `key=value`.
        network: the chosen group `network`, for there are keys that it decides on.
    """
    for override in overrides:
        typed, _, value = override.partition("=")
        key = typed.lstrip("+~")
        new = _replaced(KEYS, key)
        if new is not None:
            head, _, name = new.rpartition(".")
            name = ONE_NUMBER.get(network, {}).get(name, name)
            yield f"{key} is now {f'{head}.{name}' if head else name}"
        for (pattern, old), given in VALUES.items():
            if re.fullmatch(pattern, key) and re.search(rf"\b{old}\b", value):
                changed = re.sub(rf"\b{old}\b", given, value)
                yield f"{key}={value} is now {key}={changed}"


def _replaced(table: dict[str, str], name: str) -> str | None:
    found = ((re.fullmatch(pattern, name), new) for pattern, new in table.items())
    return next((match.expand(new) for match, new in found if match), None)
