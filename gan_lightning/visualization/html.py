"""Pages that are one HTML file without other files, from the files of run folders, which may be a stranger's."""

from __future__ import annotations

import base64
import hashlib
import io
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined
from PIL import Image

from gan_lightning.files import atomic
from gan_lightning.terminal import printable_lines

STYLE = """\
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em auto; max-width: 72em; padding: 0 1em; color: #222 }
table { border-collapse: collapse; margin: 1em 0 } th, td { text-align: left; padding: .25em .9em; vertical-align: top }
th { border-bottom: 2px solid #888 } td { border-bottom: 1px solid #ddd }
figure { display: inline-block; margin: .4em; vertical-align: top } figcaption { font-size: 13px; max-width: 16em }
img.plot { max-width: 100% }
"""
"""The style that all pages begin with."""


def write(path: Path, template: str, style: str = "", script: str = "", **content: Any) -> None:
    """Writes a page to `path`.

    Args:
        path: The HTML file.
        template: What follows the heading, for jinja2, which escapes every {{ value }}. The filters `png` and `mp4`
            turn bytes into addresses for `src`.
        style: Rules of style after `STYLE`.
        script: The only script that a browser runs in the page.
        content: The values in the template, with a `title`.
    """
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, finalize=_shown)
    environment.filters |= {"png": _address("image/png"), "mp4": _address("video/mp4")}
    body = environment.from_string(template).render(**content)
    frame = environment.from_string(FRAME)
    page = frame.render(policy=_policy(script), style=STYLE + style, body=body, script=script, title=content["title"])
    with atomic(path) as partial:
        partial.write_text(page, encoding="utf-8")


FRAME = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{{ policy }}">
<title>{{ title }}</title>
<style>{{ style | safe }}</style>
</head>
<body>
<h1>{{ title }}</h1>
{{ body | safe }}
{% if script %}<script>{{ script | safe }}</script>
{% endif %}
</body>
</html>
"""


def _policy(script: str) -> str:
    """The content security policy: a browser runs no other script in the page, and loads nothing from elsewhere."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    scripts = f"script-src 'sha256-{digest}'; media-src data:; " if script else ""
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; {scripts}base-uri 'none'; form-action 'none'"


def _shown(value: object) -> object:
    return value if hasattr(value, "__html__") else printable_lines(value)


def _address(kind: str) -> Any:
    return lambda content: f"data:{kind};base64,{base64.b64encode(content).decode()}"


def encoded(picture: Image.Image, width: int, height: int) -> bytes:
    """A PNG of the pixels alone, at most `width` x `height` of them: what else the file held stays out of a page."""
    picture.info = {}
    picture.thumbnail((width, height))
    buffer = io.BytesIO()
    picture.save(buffer, format="png", compress_level=2)  # noise is smaller so than at 6, and written faster
    return buffer.getvalue()
