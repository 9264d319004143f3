"""What mkdocs adds to these pages: the project's other texts, the notebook, the methods from `conf/` and docstrings."""

from __future__ import annotations

import importlib
import inspect
import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from gan_lightning.config.options import options
from gan_lightning.config.resolvers import register_resolvers

PROJECT = Path(__file__).parent.parent
OTHERS = {
    "benchmarks/README.md": "benchmarks.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "docs/first_steps.ipynb": "first_steps.md",
}
"""The project's texts that are no pages yet, and the names of their pages."""
PARTS = {
    "model/loss": ("Losses", "loss"),
    "model/phases": ("Phases", "phases"),
    "model/penalties": ("Penalties", "penalties"),
    "regularizer": ("Regularizers of D", "regularizers"),
    "generator_regularizer": ("Regularizers of G", "generator_regularizers"),
    "augment": ("Augmentations", "augment"),
}
"""The groups of a model's parts: their titles, and the keys of the section `model` that they set."""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the project's other texts."""
    for source, name in OTHERS.items():
        text = (PROJECT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, name, content=_cells(text) if source.endswith(".ipynb") else text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads links to where their files are on the site, and adds the methods to their page."""
    sources = {name: source for source, name in OTHERS.items()}
    uri = page.file.src_uri
    markdown = _with_links(markdown, (PROJECT / sources.get(uri, f"docs/{uri}")).parent)
    if page.file.src_uri == "methods.md":
        register_resolvers()
        with initialize_config_dir(str(PROJECT / "conf"), version_base="1.3"):
            markdown += "\n".join(_methods())
    return markdown


def _cells(notebook: str) -> str:
    """The cells of a notebook without outputs as Markdown."""
    texts = ((cell["cell_type"], "".join(cell["source"])) for cell in json.loads(notebook)["cells"])
    return "\n\n".join(text if kind == "markdown" else f"```python\n{text}\n```" for kind, text in texts)


def _with_links(markdown: str, folder: Path) -> str:
    """Leads links to files of the project, from `folder`, to their pages; one without a page becomes the file's path.

    All pages that have such links lie at the top of the site.
    """

    def led(found: re.Match[str]) -> str:
        text, target, anchor = found.groups()
        file = Path(os.path.normpath(folder / target))
        if not file.is_file():  # an address, or no link
            return found[0]
        path = file.relative_to(PROJECT).as_posix()
        if path in OTHERS or file.is_relative_to(PROJECT / "docs"):
            return f"[{text}]({OTHERS.get(path) or path.removeprefix('docs/')}{anchor})"
        return f"`{path}`" if text.strip("`") == path else f"{text} (`{path}`)"

    return re.sub(r"\[([^\[\]]*)\]\(([^()\s#]+)(#[^()\s]*|)\)", led, markdown)


def _methods() -> Iterator[str]:
    for group, (title, key) in {"model": ("Models", ""), **PARTS}.items():
        yield f"\n## {title}\n"
        for name in sorted(options(group), key=_place if group == "model" else None):
            config = compose("config", [f"{group}={name}"], return_hydra_config=True)
            yield f"\n### `{group}={name}` {{ #{_anchor(group, name)} }}\n"
            yield _linked(_comments(PROJECT / "conf" / group / f"{name}.yaml"))
            yield from _model(config) if group == "model" else _docstrings(config.model[key])
    title, table = (PROJECT / "benchmarks" / "README.md").read_text(encoding="utf-8").rpartition("\n## ")[1:]
    yield title + _with_links(table, PROJECT / "benchmarks")


def _place(model: str) -> int:
    """Where a model stands in the catalog, whose order is that of the methods, too."""
    return (PROJECT / "docs" / "catalog.md").read_text(encoding="utf-8").find(f"`{model}`")


def _model(config: Any) -> Iterator[str]:
    """The parts of a model, and its equations: those of its own class, or of its loss and its penalties."""
    model, choices = config.model, config.hydra.runtime.choices
    parts = [(group, choices[group]) for group in ("model/loss", "model/phases")]
    # Hydra lists no choice of several options; those of penalties have the names of their functions.
    parts += [("model/penalties", penalty._target_.rpartition(".")[2]) for penalty in model.penalties.values()]
    links = ", ".join(f"[`{group}={name}`](#{_anchor(group, name)})" for group, name in parts)
    optimizer = ", ".join(f"{key} {model.optimizer[key]}" for key in ("lr", "betas") if key in model.optimizer)
    yield f"\nClass [`{model._target_}`][{model._target_}]; {links}; `n_critic: {model.n_critic}`; "
    yield f"{model.optimizer._target_.rpartition('.')[2]} with {optimizer}.\n"
    if model._target_ == "gan_lightning.models.GAN":
        yield from _docstrings(model.loss)
        yield from _docstrings(model.penalties)
    else:
        yield from _docstrings(model)


def _docstrings(section: Any) -> Iterator[str]:
    """The docstrings of what a section names: itself, or its entries."""
    yield from map(_docstring, [section._target_] if "_target_" in section else [e._target_ for e in section.values()])


def _docstring(target: str) -> str:
    """The docstring of a class or function as Markdown, up to its arguments."""
    module, _, name = target.rpartition(".")
    text = inspect.getdoc(getattr(importlib.import_module(module), name)) or ""
    return "\n" + _linked(re.split(r"\n\n(?:Args|Returns|Raises):\n", text)[0]) + "\n"


def _comments(file: Path) -> str:
    """The comments at the head of an option's file as Markdown; indented lines are code."""
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not line.startswith("# @package")]
    head = itertools.takewhile(lambda line: line.startswith("#"), lines)
    return "\n".join(re.sub(r"^# (  +)?", lambda found: "\n    " if found[1] else "", line) for line in head)


def _linked(text: str) -> str:
    return re.sub(r"arXiv:(\d{4}\.\d{4,5})", r"[arXiv:\1](https://arxiv.org/abs/\1)", text)


def _anchor(group: str, name: str) -> str:
    return f"{group.replace('/', '-')}-{name}"
