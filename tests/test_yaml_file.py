"""YAML files from others end in plain data or in one line, in a bounded time."""

import os

import pytest
import yaml

from gan_lightning import yaml_file
from gan_lightning.errors import UserError
from gan_lightning.yaml_file import MAX_BYTES, read_yaml

LAUGHS = "a0: &a0 [1, 1]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.fixture(params=["C", "Python"])
def loader(request, monkeypatch) -> None:
    """The C library's loader, where there is one, and Python's."""
    if request.param == "Python":
        monkeypatch.setattr(yaml_file, "LOADER", yaml.SafeLoader)
    elif yaml.__with_libyaml__:
        assert yaml_file.LOADER is yaml.CSafeLoader


@pytest.mark.usefixtures("loader")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LAUGHS, "more than 100,000 values"),
        ("a: &a [*a]", r"alias \*a stands inside"),
        ("a: *b", r"alias \*b"),
        ("a: " + "[" * 3_000, "deep|depth"),
        ("- " * 400_000 + "1", "deep|depth"),
        ("a: !!python/object/apply:os.system [false]", "plain data"),
        ("a: " + "9" * 5_000, "plain data"),
        ("a: 2026-99-99", "plain data"),
        ("a: " + "x" * MAX_BYTES, "1,000,000 bytes"),
        ("a: [", "cannot be read as YAML"),
        ("a: \x07", "cannot be read as YAML"),
        ("- 1", "expected a YAML dict, got list"),
        ("", "expected a YAML dict, got NoneType"),
    ],
)
def test_what_is_refused_takes_one_line(tmp_path, text, expected):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match=expected) as caught:
        read_yaml(tmp_path / "config.yaml", dict)
    assert "\n" not in str(caught.value)


def test_what_is_no_text_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    for name in ("pipe", "binary", "none", "."):
        with pytest.raises(UserError, match=r"no file|cannot be read"):
            read_yaml(tmp_path / name, dict)


def test_aliases_within_the_limit(tmp_path):
    betas = [0.5, 0.999]
    config = {"g": betas, "d": betas, "deep": {"e": [betas, {}]}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    assert "*" in (tmp_path / "config.yaml").read_text()
    assert read_yaml(tmp_path / "config.yaml", dict) == config
