"""The fenced blocks of the project's texts, and the commands in them."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import PROJECT

PAGES = [PROJECT / "README.md", PROJECT / "CONTRIBUTING.md", *sorted((PROJECT / "docs").rglob("*.md"))]
OPERATORS = {"&&", "||", ";", "|", "&"}


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, its line there, its language, its text, and why it is not run; None: it is run."""

    page: str
    line: int
    language: str
    text: str
    not_run: str | None

    @property
    def file(self) -> str | None:
        """The file that a block is to be, which a comment at its head names, such as `# my_package/losses.py`."""
        head = re.match(r"(?:# @package .*\n)?# (\S+\.(?:py|yaml))\n", self.text)
        return head[1] if head else None

    def commands(self) -> list[list[str]]:
        """The words of each command of a bash block, without comments, as a shell splits them."""
        found: list[list[str]] = []
        text = re.sub(r"<[^<>\n]+>", lambda placeholder: placeholder[0].strip("<>").replace(" ", "_"), self.text)
        for line in text.replace("\\\n", " ").splitlines():
            lexer = shlex.shlex(line, posix=True, punctuation_chars=";&|")
            lexer.whitespace_split = True
            words = [[]]
            for word in lexer:
                if word in OPERATORS:
                    words.append([])
                else:
                    words[-1].append(word)
            found += filter(None, words)
        return found


def blocks_of(path: Path) -> list[Block]:
    """The blocks of a page in bash, Python and YAML."""
    text = path.read_text(encoding="utf-8")
    fence = re.compile(r"(?:<!-- not run: ([^\n]+) -->\n)?^```(bash|python|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    return [
        Block(path.relative_to(PROJECT).as_posix(), text.count("\n", 0, m.start(2)) + 1, m[2], m[3], m[1])
        for m in fence.finditer(text)
    ]


BLOCKS = [block for page in PAGES for block in blocks_of(page)]


def overrides_of(command: list[str]) -> list[str] | None:
    """What follows `train.py` or `gan-train` in a command; None if it trains nothing."""
    starts = [index for index, word in enumerate(command) if Path(word).name in ("train.py", "gan-train")]
    return command[starts[0] + 1 :] if starts else None
