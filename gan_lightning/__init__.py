"""GAN experiments on PyTorch Lightning 2.

Public names are imported at their first use, so that the command line starts fast.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"
_MODULES = {
    "train": "gan_lightning.cli.train",
    "load": "gan_lightning.training.checkpoint",
    "evaluate": "gan_lightning.cli.evaluate",
    "export_generator": "gan_lightning.export",
    "save_pretrained": "gan_lightning.export",
    "from_pretrained": "gan_lightning.export",
    "push_to_hub": "gan_lightning.export",
    "Experiment": "gan_lightning.training.experiment",
    "GAN": "gan_lightning.models",
    "UserError": "gan_lightning.errors",
    "list_models": "gan_lightning.config.options",
    "list_networks": "gan_lightning.config.options",
    "list_data": "gan_lightning.config.options",
    "list_experiments": "gan_lightning.config.options",
}
__all__ = [*_MODULES]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
