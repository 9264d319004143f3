"""Kernel launches and waits of one training step, counted without a GPU.

    python benchmarks/launches.py

The step runs on the `meta` device, whose tensors have shapes and no values. Each call of ATen that would start a kernel
on a GPU counts as one launch: all but views and allocations. A call that needs a value on the host counts as a wait,
and so does a copy from the host. A step is the second batch: one update of D, one of G, and the EMA.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest import mock

import lightning
import torch
from hydra import compose, initialize_config_dir
from lightning import Callback, LightningDataModule, LightningModule, Trainer
from lightning.pytorch.accelerators import CPUAccelerator
from lightning.pytorch.strategies import SingleDeviceStrategy
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from gan_lightning import rng
from gan_lightning.callbacks import GeneratorEMA
from gan_lightning.config.check import check
from gan_lightning.config.instantiate import build
from gan_lightning.config.options import conf_folder
from gan_lightning.config.resolvers import register_resolvers

META = torch.device("meta")
ALLOCATIONS = ("empty", "empty_like", "empty_strided", "new_empty", "new_empty_strided", "_unsafe_view")
WAITS = ("_local_scalar_dense", "nonzero", "equal", "masked_select", "_unique2")
WITHOUT_META = ("_fused_adam_", "_fused_adamw_", "_fused_sgd_")
"""They change their arguments, and return nothing."""


@dataclass
class Count(TorchDispatchMode):
    """The calls within `with Count() as count`, by name."""

    launches: Counter[str] = field(default_factory=Counter)
    waits: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if name == "_local_scalar_dense" and args[0].device == META:
            self.waits[name] += 1
            return args[0].new_zeros((), device="cpu").item()
        result = None if name in WITHOUT_META else func(*args, **(kwargs or {}))
        devices = {leaf.device.type for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)}
        if "meta" in devices and name not in ALLOCATIONS and not _is_view(func):
            self.launches[name] += 1
            copied = name in ("_to_copy", "copy_") and "cpu" in devices
            if copied or name in WAITS:
                self.waits[name] += 1
        return result


def _is_view(func: Any) -> bool:
    aliases = [returned.alias_info for returned in func._schema.returns]
    return any(alias is not None and not alias.is_write for alias in aliases)


class MetaGenerator(torch.Generator):
    """A generator for tensors on `meta`, where nothing is drawn."""

    @property
    def device(self) -> torch.device:  # type: ignore[override]
        return META


class MetaAccelerator(CPUAccelerator):
    """Lets Lightning train on `meta`."""

    def setup_device(self, device: torch.device) -> None: ...


class MetaStrategy(SingleDeviceStrategy):
    """Leaves the weights there at the end: they have no values that could go back to the CPU."""

    def teardown(self) -> None: ...

    def reduce(self, tensor: Any, *args: Any, **kwargs: Any) -> Any:
        """Answers Lightning's question whether there are any batches."""
        return torch.ones_like(tensor, device="cpu")


@contextlib.contextmanager
def meta_device() -> Iterator[None]:
    """Lets torch and `gan_lightning.rng` accept the device `meta`."""
    on_host = rng.generator

    def generator(*key: int | str, device: torch.device | str = "cpu") -> torch.Generator:
        return MetaGenerator() if torch.device(device) == META else on_host(*key, device=device)

    optimizer: Any = sys.modules["torch.optim.optimizer"]
    fused = optimizer._get_fused_kernels_supported_devices()
    with (
        mock.patch("gan_lightning.rng.generator", generator),
        mock.patch("gan_lightning.rng.seed_defaults", autospec=True),
        mock.patch.object(optimizer, "_get_fused_kernels_supported_devices", return_value=[*fused, "meta"]),
        mock.patch("torch.autocast", return_value=contextlib.nullcontext()),
        mock.patch("torch.is_autocast_enabled", return_value=False),
    ):
        yield


class Done(Exception):
    """Ends a run after the batch that was counted."""


class CountStep(Callback):
    """Counts the second batch: the first makes the optimizers' states."""

    def __init__(self) -> None:
        self.count = Count()
        self.stack = contextlib.ExitStack()

    def on_train_batch_start(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == 0:
            self.stack.enter_context(self.count)
        self.count.launches.clear()
        self.count.waits.clear()

    def on_train_batch_end(self, trainer: Trainer, *_: Any) -> None:
        if trainer.global_step == 2:
            self.stack.close()
            raise Done


def count_step(model: LightningModule, data: LightningDataModule, *callbacks: Callback) -> Count:
    """Returns the launches and waits of a batch, with what the callbacks do at its end."""
    counting = CountStep()
    trainer = lightning.Trainer(
        strategy=MetaStrategy(META, MetaAccelerator()),
        max_steps=1000,
        log_every_n_steps=1000,
        callbacks=[*callbacks, counting],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        num_sanity_val_steps=0,
    )
    with meta_device(), contextlib.suppress(Done):
        trainer.fit(model, data)
    return counting.count


VANILLA = (
    *("network.generator.hidden_dims=[128,256,512,1024]", "network.generator.latent_dim=100"),
    "network.discriminator.hidden_dims=[512,256]",
)
CASES = {
    "vanilla MLP, MNIST": ("model=gan", "network=mlp", *VANILLA),
    "DCGAN, 64x64": (
        "model=dcgan",
        "network=dcgan",
        "data.image_shape=[3,64,64]",
        "network.generator.base_channels=64",
    ),
    "R3GAN, the paper's 32x32": (
        *("model=r3gan", "network=r3gan", "data.image_shape=[3,32,32]"),
        *(f"network.{player}.channels=[768,768,768,768]" for player in ("generator", "discriminator")),
        *(f"network.{player}.blocks=2" for player in ("generator", "discriminator")),
        *(f"network.{player}.group_width=64" for player in ("generator", "discriminator")),
    ),
    "InfoGAN, MLP": ("model=infogan", "network=mlp"),
    "matching-aware, MLP": ("model=matching_aware", "network=mlp"),
}
"""The digits take the place of other data of the same shape."""


def build_case(*overrides: str) -> tuple[LightningModule, LightningDataModule]:
    """Builds the model and the data of a command line."""
    register_resolvers()
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        small = ("trainer=cpu", "data.limit=128", "name=run", "run_dir=run")
        config = check(compose("config", [*overrides, *small]))
    return build(config, "model"), build(config, "data")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", action="store_true", help="also the calls that a step consists of")
    options = parser.parse_args()
    print(f"{'':28} launches  waits")
    for name, overrides in CASES.items():
        count = count_step(*build_case(*overrides), GeneratorEMA())
        print(f"{name:28} {count.launches.total():8}  {count.waits.total():5}", flush=True)
        if options.calls:
            print("".join(f"    {number:5} {call}\n" for call, number in count.launches.most_common()))


if __name__ == "__main__":
    main()
