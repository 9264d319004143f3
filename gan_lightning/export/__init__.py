"""Trained generators outside of this package: one file for ONNX Runtime or plain torch, and folders for a model hub."""

from gan_lightning.export.generator_file import export_generator
from gan_lightning.export.hub import from_pretrained, push_to_hub, save_pretrained

__all__ = ["export_generator", "from_pretrained", "push_to_hub", "save_pretrained"]
