"""Files of published networks' weights: downloaded, or put there by hand."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import torch

from gan_lightning.errors import UserError
from gan_lightning.files import file_lock, socket_timeout

UNREADABLE = (OSError, RuntimeError, EOFError, pickle.UnpicklingError)


def fetch(url: str, path: Path, option: str, instead: str) -> None:
    """Downloads a file, unless it is there and whole: its name ends in the first digits of its SHA-256.

    Args:
        url: Its address.
        path: Its place.
        option: What needs it, for the message.
        instead: What a user without a network can do besides putting it there, for the message.

    Raises:
        UserError: It is missing or damaged, and the download fails.
    """
    prefix = path.stem.rpartition("-")[2]

    def is_whole() -> bool:
        return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest().startswith(prefix)

    if is_whole():
        return
    with file_lock(path):
        if is_whole():  # another process has fetched it meanwhile
            return
        if path.is_file():
            print(f"{path} is damaged: its SHA-256 does not begin with {prefix}. It is downloaded again")
        for left in path.parent.glob(f"{path.name}.*.partial"):
            left.unlink()  # of a process that was killed
        try:
            with socket_timeout(10):
                torch.hub.download_url_to_file(url, str(path), prefix)
        except UNREADABLE as error:
            raise UserError(
                f"{option}: {path} is missing or damaged, and the download failed ({error}). Fetch {url} where there "
                f"is a network, then put it there, {instead}"
            ) from error
