"""The table of differences has every recording, and README.md has the table."""

import re
from pathlib import Path

from tests.reference.recordings import FOLDER
from tests.reference.table import MODULES, calls


def test_every_recording_is_compared():
    recorded = {f"{path.parent.name}/{path.stem}" for path in FOLDER.glob("*/*.safetensors")}
    assert recorded == {f"{module.KIND}/{name}" for module in MODULES for name in module.CHECKS}


def test_the_readme_says_how_each_was_made():
    text = Path(__file__).with_name("README.md").read_text()
    for line in calls():
        assert f"| {' | '.join(line)} |" in text
        assert re.search(rf"^\| {line[0]} \| .* [0-9a-f]{{7}} \| \S+ \| ", text, re.MULTILINE), line[0]


def test_all_of_it_is_small():
    assert sum(path.stat().st_size for path in FOLDER.glob("*/*")) < 1_000_000
