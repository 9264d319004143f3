"""The checksum at the end of a checkpoint. Torch's own files have checksums, too, but torch does not check them."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path
from typing import BinaryIO

TITLE = b"gan_lightning sha256 "
LENGTH = len(TITLE) + 2 * hashlib.sha256().digest_size
"""The length of a checksum's line in bytes. It is the comment of the zip archive, so that torch ignores it."""
_END = b"PK\x05\x06"
_END_LENGTH = 22
"""The length in bytes of a zip archive's last record; its last two bytes are the length of the comment after it."""
_BLOCK = 1 << 20


def append_checksum(path: Path) -> None:
    """Writes the checksum of a zip archive into it, as its comment.

    Raises:
        ValueError: The file is no zip archive, or has a comment.
    """
    with path.open("r+b") as file:
        if not _ends_without_comment(file):
            raise ValueError(f"{path}: expected a zip archive without a comment")
        file.seek(-2, os.SEEK_END)
        file.write(LENGTH.to_bytes(2, "little"))
        line = TITLE + _sha256(file, file.tell())
        file.write(line)


def require_intact(path: Path) -> None:
    """Checks that a zip archive is as it was written, and that reading it takes no more memory than its size.

    An archive without our checksum, which a Trainer of the user's has written, is checked by the zip's own checksums.

    Raises:
        ValueError: It is damaged, no zip archive, or compressed, which torch's files never are.
        OSError: It cannot be read.
    """
    with path.open("rb") as file:
        own = not _ends_without_comment(file)
        if own:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - LENGTH))
            if file.read() != TITLE + _sha256(file, size - LENGTH):
                raise ValueError("it has no valid checksum")
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
            if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
                raise ValueError("its parts are compressed")
            if sum(part.file_size for part in parts) > path.stat().st_size:
                raise ValueError("its parts overlap")
            broken = None if own else archive.testzip()
    except (zipfile.BadZipFile, NotImplementedError, EOFError, UnicodeDecodeError, RuntimeError) as error:
        raise ValueError(str(error)) from error
    if broken is not None:
        raise ValueError(f"its part {broken} has another checksum than when it was written")


def _ends_without_comment(file: BinaryIO) -> bool:
    if file.seek(0, os.SEEK_END) < _END_LENGTH:
        return False
    file.seek(-_END_LENGTH, os.SEEK_END)
    end = file.read()
    return end.startswith(_END) and end.endswith(b"\0\0")


def _sha256(file: BinaryIO, length: int) -> bytes:
    """Returns the digest of the first `length` bytes, in hexadecimal digits; leaves the file at their end."""
    digest = hashlib.sha256()
    file.seek(0)
    left = length
    while left > 0:
        block = file.read(min(_BLOCK, left))
        if not block:
            break
        digest.update(block)
        left -= len(block)
    return digest.hexdigest().encode()
