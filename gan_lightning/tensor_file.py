"""Files of tensors, `.safetensors`, that tell when they are damaged: the format itself has no checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gan_lightning.errors import UserError
from gan_lightning.files import atomic

DIGEST = "sha256"
"""The key of the metadata that has the digest of all tensors and of the other metadata."""


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str] | None = None) -> None:
    """Writes tensors of any device whole or not at all.

    Args:
        tensors: The tensors by name.
        path: The file, `x.safetensors`.
        metadata: Texts to store beside them.
    """
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    texts = dict(metadata or {})
    content = save(stored, texts | {DIGEST: _digest(stored, texts)})
    with atomic(path) as partial:
        partial.write_bytes(content)  # safetensors' save_file ignores the umask, and other users could not read it


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Reads a file of `save_tensors`: the tensors, on the CPU, and the metadata.

    Raises:
        UserError: There is no such file, it differs from what was written, or another program wrote it.
    """
    try:
        with safe_open(path, "pt") as file:
            texts = dict(file.metadata() or {})
            names = file.keys()
            tensors = {name: file.get_tensor(name) for name in names}
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}. Expected a .safetensors file") from error
    except SafetensorError as error:
        raise UserError(f"{path} is damaged or no .safetensors file: {error}") from error
    digest = texts.pop(DIGEST, None)
    if digest is None:
        raise UserError(f"{path} is damaged, or gan_lightning has not written it: its metadata has no {DIGEST}")
    if digest != _digest(tensors, texts):
        raise UserError(f"{path} is damaged: its content has another {DIGEST} than when it was written")
    return tensors, texts


def digest_of(*parts: bytes | Tensor) -> str:
    """Returns a hash of bytes and tensors, their shapes and types included."""
    digest = hashlib.blake2b(digest_size=16)
    for piece in _pieces(parts):
        digest.update(piece)
    return digest.hexdigest()


def _digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name in sorted(tensors):
        for piece in _pieces([json.dumps(name).encode(), tensors[name]]):
            digest.update(piece)
    return digest.hexdigest()


def _pieces(parts: Iterable[bytes | Tensor]) -> Iterator[bytes | memoryview]:
    for part in parts:
        if isinstance(part, Tensor):
            yield repr((part.dtype, tuple(part.shape))).encode()
            yield part.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy().data
        else:
            yield part
