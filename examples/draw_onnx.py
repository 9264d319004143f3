"""Draws 64 samples with ONNX Runtime, NumPy and Pillow alone.

gan-export RUN --format onnx && python draw_onnx.py generator.onnx grid.png
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image

source, picture = sys.argv[1:]
session = onnxruntime.InferenceSession(source)
about = {key: json.loads(text) for key, text in session.get_modelmeta().custom_metadata_map.items()}

inputs = {"z": np.random.randn(64, about["latent_dim"]).astype(np.float32)}
count = len(about["names"])
if about["labels"] == "classes":
    inputs["labels"] = np.arange(64) % count
elif about["labels"] == "tags":
    inputs["labels"] = np.eye(count, dtype=np.float32)[np.arange(64) % count]
images = session.run(["images"], inputs)[0]
_, channels, height, width = images.shape
grid = images.reshape(8, 8, channels, height, width).transpose(0, 3, 1, 4, 2).reshape(8 * height, 8 * width, channels)
Image.fromarray((255 * grid).round().astype(np.uint8).squeeze()).save(picture)
