"""The documentation site: it builds without a warning, has every public name and every option, and loads nothing."""

import importlib
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import gan_lightning
from gan_lightning.config.options import options
from tests.conftest import PROJECT

PACKAGES = ("models", "losses", "networks", "data", "evaluation", "callbacks")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    result = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return folder


def test_the_api_has_every_public_name(site):
    inventory = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    known = {line.split()[0].decode() for line in zlib.decompress(inventory).splitlines()}
    public = {f"gan_lightning.{p}.{n}" for p in PACKAGES for n in importlib.import_module(f"gan_lightning.{p}").__all__}
    public |= {f"{getattr(gan_lightning, n).__module__}.{n}" for n in gan_lightning.__all__}
    assert not public - known


def test_the_methods_have_every_option(site):
    page = (site / "methods" / "index.html").read_text(encoding="utf-8")
    for group in ("model", "model/loss", "model/phases", "model/penalties", "regularizer", "augment"):
        assert not [name for name in options(group) if f'id="{group.replace("/", "-")}-{name}"' not in page]


def test_the_notebook_is_a_page(site):
    page = (site / "first_steps" / "index.html").read_text(encoding="utf-8")
    assert '<h2 id="train">' in page
    assert '<span class="kn">import</span>' in page


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r'<(?:script|img|link|iframe)\b[^>]*?(?:src|href)="(https?:|//)', page.read_text(encoding="utf-8")
        )
        assert not loaded, page
