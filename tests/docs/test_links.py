"""Links between the project's texts, with their anchors, as GitHub makes them."""

import re

import pytest

from tests.conftest import PROJECT

IGNORED = {".venv", "site", "logs", "data", "build", "dist"}
PAGES = [page for page in sorted(PROJECT.rglob("*.md")) if not IGNORED & {*page.relative_to(PROJECT).parts[:1]}]


def without_code(text: str) -> str:
    return re.sub(r"```.*?```|`[^`\n]*`", lambda code: "" if code[0].startswith("```") else code[0], text, flags=re.S)


def anchors(text: str) -> set[str]:
    titles = re.findall(r"(?m)^#+ (.+)$", without_code(text))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(PROJECT).as_posix())
def test_every_link_leads_somewhere(page):
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8"))):
        if target.startswith(("https://", "http://", "mailto:")):
            continue
        path, _, anchor = target.partition("#")
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in anchors(file.read_text(encoding="utf-8"))):
            broken.append(target)
    assert not broken
