"""What an evaluation has computed, in files of the cache that are made again when they are damaged."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from gan_lightning.data.images import Images
from gan_lightning.data.io.pixel_file import fingerprint
from gan_lightning.errors import UserError
from gan_lightning.files import cache_folder, file_lock
from gan_lightning.tensor_file import digest_of, load_tensors, save_tensors


def cached(
    name: str, make: Callable[[], tuple[Mapping[str, Tensor], Mapping[str, str]]]
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns the tensors and texts of the cache file `name`.safetensors.

    Args:
        name: A name that contains a hash of everything that the content depends on.
        make: It computes the content if there is no such file, or if it is damaged. Other processes wait meanwhile.
    """
    path = cache_folder() / f"{name}.safetensors"
    with file_lock(path):
        if path.exists():
            try:
                return load_tensors(path)
            except UserError as error:
                print(f"{error}. It is made again")
        tensors, texts = make()
        save_tensors(tensors, path, texts)
        return load_tensors(path)


def cached_digest(make: Callable[[], str], images: Images, *facts: bytes | Tensor) -> str:
    """Returns `make()`, a hash; from the cache if the images lie in a file there, so that their pixels are not read.

    Args:
        make: It computes the hash.
        images: The images that the hash depends on.
        facts: Everything else that it depends on.
    """
    file = fingerprint(images)
    if file is None:
        return make()
    name = f"digest_{digest_of(file.encode(), *facts)}"
    return cached(name, lambda: ({}, {"digest": make()}))[1]["digest"]
