"""Which part may know which: the arrows of CONTRIBUTING.md, read off the source."""

import ast
from pathlib import Path

import pytest

import gan_lightning

PACKAGE = Path(gan_lightning.__file__).parent
LOW = {"errors", "files", "rng", "conditions", "losses", "penalties", "networks", "pictures", "films", "distributed"}
LOW |= {"augmentations", "regularizers"}
ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "conditions": {"errors"},
    "films": {"errors", "files"},
    "rng": set(),
    "losses": set(),
    "penalties": set(),
    "augmentations": {"distributed"},
    "regularizers": {"distributed"},
    "pictures": set(),
    "networks": set(),
    "distributed": set(),
    "models": {"errors", "losses", "penalties", "augmentations", "regularizers", "rng", "conditions", "distributed"},
    "data": {"errors", "rng", "conditions", "files"},
    "metrics": {"errors", "files", "rng", "data", "models"},
    "callbacks": LOW | {"models", "data", "metrics"},
    "targets": set(),
    "rules": {"targets", "metrics"},
    "config": {"errors", "rules", "targets", "data", "metrics"},
    "checkpoint": LOW | {"models", "config"},
    "resume": LOW | {"checkpoint", "config", "targets"},
    "summary": LOW | {"callbacks", "config"},
    "generate": LOW | {"checkpoint", "data", "models"},
    "evaluation report": LOW | {"config", "metrics"},
    "evaluate": LOW | {"evaluation report", "checkpoint", "config", "data", "generate", "metrics", "models"},
    "timelapse": LOW,
    "trainer": LOW | {"checkpoint", "config", "distributed"},
    "results": LOW | {"config", "metrics"},
    "sweeps": LOW | {"results"},
}
FOREIGN = {
    "losses": {"lightning", "hydra", "omegaconf"},
    "penalties": {"lightning", "hydra", "omegaconf"},
    "augmentations": {"lightning", "hydra", "omegaconf"},
    "regularizers": {"lightning", "hydra", "omegaconf"},
    "networks": {"lightning", "hydra", "omegaconf"},
    "models": {"hydra", "omegaconf"},
    "data": {"hydra", "omegaconf"},
    "metrics": {"hydra", "omegaconf"},
    "callbacks": {"hydra", "omegaconf"},
    "generate": {"hydra", "omegaconf"},
    "evaluate": {"hydra", "omegaconf"},
    "checkpoint": {"hydra", "omegaconf"},
}


def imports(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=[str(path.relative_to(PACKAGE)) for path in FILES])
def test_arrows(path):
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    own = {name.split(".")[1] for name in imports(path) if name.startswith("gan_lightning.")}
    foreign = {name.split(".")[0] for name in imports(path)}
    if part in ALLOWED:
        assert own <= ALLOWED[part] | {part}
    assert not foreign & FOREIGN.get(part, set())


def test_the_package_itself_imports_nothing():
    assert imports(PACKAGE / "__init__.py") == {"importlib.import_module", "typing.Any"}
