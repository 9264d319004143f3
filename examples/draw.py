"""Draws 64 samples with torch and torchvision alone.

gan-export RUN --format torch && python draw.py generator.pt2 grid.png
"""

import json
import sys

import torch
from torchvision.utils import save_image

source, picture = sys.argv[1:]
files = {"metadata.json": ""}
generator = torch.export.load(source, extra_files=files).module()
about = json.loads(files["metadata.json"])

inputs = [torch.randn(64, about["latent_dim"])]
count = len(about["names"])
if about["labels"] == "classes":
    inputs.append(torch.arange(64) % count)
elif about["labels"] == "tags":
    inputs.append(torch.eye(count)[torch.arange(64) % count])
with torch.no_grad():
    save_image(generator(*inputs), picture, nrow=8)
