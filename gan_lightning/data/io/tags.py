"""The tags of a folder's pictures, from its tags.csv. It imports only the standard library."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePath

from gan_lightning.data.io.folders import list_pictures
from gan_lightning.data.io.messages import count, listing, quoted
from gan_lightning.errors import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".avif", ".bmp")
_HEADER = ["file", "tags"]


def tag_names(root: str, nouns: Sequence[str]) -> list[str]:
    """The vocabulary: every tag in `root`/tags.csv, sorted.

    Bad rows are skipped here, since configurations use this function and their errors have one line; `read_tags`
    reports all bad rows.

    Raises:
        UserError: There is no such file, or it is no table with the columns file,tags.
    """
    found: set[str] = set()
    for _, row in _rows(Path(root, "tags.csv")):
        found.update(find_tags(row[1], nouns) if len(row) == 2 else ())
    return sorted(found)


def read_tags(root: str, nouns: Sequence[str]) -> dict[str, list[str]]:
    """The tags of every picture in `root` and below it, by its relative path, sorted.

    A picture has no tags if it has no row, or if its text has none of `nouns` with a word before it.

    Raises:
        UserError: There are no pictures or no tags, or rows are bad; the message lists all bad rows.
    """
    table = Path(root, "tags.csv")
    rows = list(_rows(table))
    tags: dict[str, list[str]] = {name: [] for name in list_pictures(root, SUFFIXES)}
    first: dict[str, int] = {}
    problems = []
    for number, row in rows:
        problem = _problem(row, tags, first)
        if problem:
            problems.append(f"row {number}: {problem}")
        else:
            name = _normal(row[0])
            first[name] = number
            tags[name] = find_tags(row[1], nouns)
    if problems:
        raise UserError(listing(f"{table.absolute()} has {count(problems, 'bad row')}", problems))
    if not any(tags.values()):
        raise UserError(
            f"{table.absolute()}: none of its texts has a word before one of data.nouns={list(nouns)}, as in "
            f"'blue {nouns[0] if nouns else 'hair'}'. Set data.nouns to the nouns that it uses"
        )
    return tags


def find_tags(text: str, nouns: Sequence[str]) -> list[str]:
    """Each of `nouns` with the word directly before it, in lower case: "very long Hair" gives "long hair"."""
    if not nouns:
        return []
    alternatives = "|".join(re.escape(noun.lower()) for noun in nouns)
    return [" ".join(match) for match in re.findall(rf"(?<![\w-])([\w-]+)\s+({alternatives})(?![\w-])", text.lower())]


def _normal(name: str) -> str:
    return PurePath(name.strip()).as_posix()


def _problem(row: Sequence[str], pictures: dict[str, list[str]], first: dict[str, int]) -> str:
    """What is wrong with a row, and how to correct it; "" if nothing is wrong."""
    if len(row) != 2:
        hint = "put tags with commas between double quotes" if len(row) > 2 else "write file,tags"
        return f"{count(row, 'column')}, expected 2: {hint}"
    name, text = _normal(row[0]), row[1].strip()
    if not row[0].strip():
        return f"no file name, with the tags {quoted(text)}: fill it in, or remove the row"
    if name not in pictures:
        return (
            f"{quoted(row[0])} is no picture ({', '.join(SUFFIXES)}) in the folder: correct the name, or remove the row"
        )
    if name in first:
        return f"{quoted(row[0])} has row {first[name]} already: keep one of the two"
    if not text:
        return f"{quoted(row[0])} has no tags: fill them in, or remove the row, and the picture counts as unlabeled"
    return ""


def _rows(table: Path) -> Iterator[tuple[int, list[str]]]:
    """The nonempty rows below the header, with their row numbers; the header is row 1."""
    try:
        if table.exists() and not table.is_file():
            raise UserError(f"{table.absolute()} is no regular file: expected a table with the columns file,tags")
        with table.open(encoding="utf-8-sig", newline="") as file:
            rows = enumerate(csv.reader(file, strict=True), start=1)
            header = next(rows, (1, []))[1]
            if [cell.strip().lower() for cell in header] != _HEADER:
                raise UserError(
                    f"{table.absolute()}: its first row is {quoted(','.join(header))}, expected the header 'file,tags'"
                )
            yield from ((number, row) for number, row in rows if row)
    except OSError as error:
        raise UserError(
            f"{table.absolute()} cannot be read ({error.strerror}): set data.root to a folder of pictures that has "
            "a tags.csv with the columns file,tags"
        ) from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise UserError(f"{table.absolute()} is no CSV file in UTF-8 ({error}): save it as one") from error
