"""The memory that a configuration needs at least: values that are allowed one by one may together exceed it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

from gan_lightning.config.instantiate import Config, instantiate


def memory_problems(config: Config) -> Iterator[str]:
    """Yields a message for each network and number of samples that does not fit into this machine's memory."""
    if not hasattr(os, "sysconf"):  # Windows
        return
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    model, data, trainer = config["model"], config["data"], config["trainer"]
    # Adam has two numbers for each weight, and there is a gradient; with a GPU these are in its memory.
    copies = 4 if trainer.get("accelerator") == "cpu" else 1
    for player in ("generator", "discriminator"):
        needed = copies * _weight_bytes(model.get(player))
        if needed > available:
            yield f"network.{player}: training it needs {_room(needed, available)}; choose smaller sizes"
    if str(data["_target_"]).startswith("gan_lightning.") and "image_shape" in data:
        size = math.prod(data["image_shape"])
        batches = ("batch_size", "generator_real_batch_size")
        for name, bytes_each in (("count", size), *((batch, 4 * size) for batch in batches)):
            if isinstance(data.get(name), int) and data[name] * bytes_each > available:
                yield f"data.{name}={data[name]}: so many samples need {_room(data[name] * bytes_each, available)}"


def _weight_bytes(network: object) -> int:
    """Returns the size of the weights of one of our networks; 0 if it is another package's, or cannot be built."""
    import torch

    if not isinstance(network, dict) or not str(network.get("_target_")).startswith("gan_lightning."):
        return 0
    try:
        with torch.device("meta"):  # has sizes, and no memory
            return sum(weight.nbytes for weight in instantiate(network, "model").parameters())
    except Exception:  # it is reported when the network is built
        return 0


def _room(needed: int, available: int) -> str:
    return f"{needed / 2**30:,.0f} GiB of memory, and this machine has {available / 2**30:,.0f}"
