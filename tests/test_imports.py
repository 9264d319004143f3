"""Which part may know which: the arrows of the design, on the whole graph of imports, and who uses private names."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import gan_lightning
from gan_lightning.models import GAN

PACKAGE = Path(gan_lightning.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
LEVELS = (
    # What stands in one line must not know each other, but for the first, which everybody may use.
    (
        *(
            "_compat",
            "cadence",
            "checksum",
            "config.renamed",
            "config.allowlist",
            "config.arguments",
            "config.instantiate",
            "distributed.collectives",
            "errors",
            "files",
            "labels",
            "metric_names",
            "rng",
        ),
        *("schedules", "specs", "tensor_file", "terminal", "visualization", "yaml_file"),
    ),
    ("losses", "networks"),
    ("models", "data", "distributed"),
    ("evaluation",),
    ("diagnosis",),
    ("callbacks",),
    ("config",),
    ("training",),
    ("export",),
    ("sweeps",),
    ("cli",),
    ("__main__",),
)
NEVER = {  # besides: what is not to be reached, by however many steps
    "losses": {"lightning", "hydra", "omegaconf"},
    "networks": {"lightning", "hydra", "omegaconf"},
    "distributed.collectives": {"lightning", "hydra", "omegaconf"},
    "rng": {"lightning", "hydra", "omegaconf"},
    "config.instantiate": {"lightning", "hydra", "omegaconf"},
    "models": {"networks", "hydra", "omegaconf"},
    "data": {"hydra", "omegaconf"},
    "distributed": {"hydra", "omegaconf"},
    "evaluation": {"hydra", "omegaconf"},
    "diagnosis": {"hydra", "omegaconf"},
    "callbacks": {"hydra", "omegaconf"},
    "training": {"hydra"},
}
COMPOSES = {"cli", "config", "sweeps", "_compat"}
"""The parts that may import Hydra and OmegaConf themselves."""


def name_of(path: Path) -> str:
    """The dotted name of a module below the package."""
    return ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in FILES}


def part_of(module: str) -> str:
    """The entry of `LEVELS` that a module belongs to."""
    entries = [entry for level in LEVELS for entry in level]
    return max((entry for entry in entries if f"{module}.".startswith(f"{entry}.")), key=len, default=module)


def for_type_checkers(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """Everything that may run, functions' bodies included."""
    yield node
    for child in ast.iter_child_nodes(node):
        if not for_type_checkers(child):
            yield from walk(child)


def imported(path: Path) -> Iterator[str]:
    """Dotted names: of what is imported from, and with each of the names."""
    for node in walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@cache
def direct(module: str) -> set[str]:
    """What a module imports itself: modules of ours, without the package's name, and top-level names of others."""
    found = set()
    for name in imported(MODULES[module]):
        root, _, rest = name.partition(".")
        if root != "gan_lightning":
            found.add(root)
            continue
        own = [known for known in MODULES if f"{rest}.".startswith(f"{known}.")]
        found.add(max(own, key=len, default="gan_lightning"))  # of a.b.Class the module a.b
    return found


@cache
def chains(module: str) -> dict[str, str]:
    """Everything that importing a module leads to, each with the way there."""
    ways, ahead = {}, [(module, module)]
    while ahead:
        here, way = ahead.pop(0)
        for name in sorted(direct(here)):
            if name not in ways:
                ways[name] = f"{way} -> {name}"
                if name in MODULES:
                    ahead.append((name, ways[name]))
    return ways


def level_of(part: str) -> int:
    return next(number for number, level in enumerate(LEVELS) if part in level)


@pytest.mark.parametrize("module", [name for name in MODULES if name != "__init__"])
def test_arrows(module):
    part = part_of(module)
    level = level_of(part)
    wrong = []
    for name, way in chains(module).items():
        other = part_of(name)
        upwards = name in MODULES and other != part and level_of(other) >= max(level, 1)
        banned = NEVER.get(part, set())
        if upwards or other in banned or name in banned:
            wrong.append(way)
    if part not in COMPOSES and part.partition(".")[0] not in COMPOSES:
        wrong += [f"{module} -> {name}" for name in direct(module) & {"hydra", "omegaconf"}]
    assert wrong == []


@pytest.mark.parametrize("module", [name for name in MODULES if part_of(name) in ("evaluation", "callbacks")])
def test_no_callback_knows_one_variant(module):
    for name in imported(MODULES[module]):
        home, _, last = name.rpartition(".")
        found = getattr(importlib.import_module(home), last) if home.startswith("gan_lightning.models") else None
        assert not (inspect.isclass(found) and issubclass(found, GAN) and found is not GAN), name


def test_the_package_itself_imports_nothing():
    """The public names come when they are asked for: `--help` needs no torch."""
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    found = {alias.name for node in tree.body if isinstance(node, ast.Import) for alias in node.names}
    found |= {str(node.module).partition(".")[0] for node in tree.body if isinstance(node, ast.ImportFrom)}
    assert found <= set(sys.stdlib_module_names)


# Slow imports

SLOW = {"gan_lightning.training.experiment": {"sklearn", "tensorboard"}, "gan_lightning.cli.results": {"torch"}}
"""What a module must not import before a function of it needs it."""


def on_import(path: Path) -> Iterator[str]:
    """The dotted names that a module imports as soon as it is imported."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("module", SLOW)
def test_slow_imports_come_late(module):
    seen, ahead = set(), [module]
    while ahead:
        name = ahead.pop()
        parts = name.split(".")
        names = [".".join(parts[:count]) for count in range(1, len(parts) + 1)]  # its packages are imported, too
        for part in set(names) - seen:
            seen.add(part)
            own = MODULES.get(part.removeprefix("gan_lightning").lstrip(".") or "__init__")
            ahead += on_import(own) if own else []
    assert seen & SLOW[module] == set()


# Dependencies

MODULE_OF = {"pillow": "PIL", "scikit-learn": "sklearn", "hydra-core": "hydra", "pyyaml": "yaml"}
"""The modules of packages that have another name."""


def test_the_dependencies_are_what_is_imported():
    tomllib = pytest.importorskip("tomllib")  # of Python 3.11
    project = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text())["project"]
    names = [re.split("[^a-z0-9-]", line)[0] for line in project["dependencies"]]
    declared = {MODULE_OF.get(name, name.replace("-", "_")) for name in names}
    found = {name for module in MODULES for name in direct(module)} - {"gan_lightning", *MODULES}
    optional = {"datasets", "huggingface_hub", "onnxruntime", "optuna", "torch_fidelity"}  # whose absence is told
    assert found - sys.stdlib_module_names == declared | optional


# Private names


def is_private(name: object) -> bool:
    """`_name`; but not `__name__`, nor the words of Hydra's configurations."""
    words = ("_target_", "_partial_")
    return isinstance(name, str) and name.startswith("_") and not name.startswith("__") and name not in words


def is_self(node: ast.AST) -> bool:
    return ast.unparse(node) in ("self", "cls", "super()")


def own_names() -> set[str]:
    """Every private name that the package itself gives to something."""
    found = set()
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef | ast.FunctionDef):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and is_self(node.value):
                found.add(node.attr)
    return found


OWN = own_names()


def private_uses(source: str) -> Iterator[str]:
    """Private names of others that a module imports, reads, sets, or asks for by `getattr` and its kin."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and not str(node.module).startswith("gan_lightning"):
            names = [*str(node.module).split("."), *(alias.name for alias in node.names)]
            yield from (name for name in names if is_private(name))
        elif isinstance(node, ast.Import):
            yield from (name for alias in node.names for name in alias.name.split(".") if is_private(name))
        elif isinstance(node, ast.Attribute) and is_private(node.attr):
            if not (is_self(node.value) and node.attr in OWN):
                yield node.attr
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("getattr", "setattr", "hasattr", "delattr"):
            name = node.args[1].value if isinstance(node.args[1], ast.Constant) else None
            if is_private(name):
                yield name


@pytest.mark.parametrize("module", [name for name in MODULES if part_of(name) != "_compat"])
def test_private_names_stay_in_compat(module):
    assert [name for name in private_uses(MODULES[module].read_text()) if name not in OWN] == []


@pytest.mark.parametrize(
    "source",
    [
        "torch._foreach_lerp_([], [], 0)",
        "optimizer._on_before_step = print",
        "self._terminate_all()",
        "getattr(optimizer, '_step_supports_amp_scaling', False)",
        "from lightning.fabric.utilities.distributed import _set_num_threads_if_needed",
        "import torch._dynamo",
    ],
)
def test_a_private_name_is_seen(source):
    assert list(private_uses(source)) != []


@pytest.mark.parametrize("module", [name for name in MODULES if part_of(name) not in ("_compat", "__init__")])
def test_no_private_method_of_others_is_overridden(module):
    """Which would be called, or not, as Lightning's next version likes."""
    found = importlib.import_module(f"gan_lightning.{module}")
    for cls in (
        value for value in vars(found).values() if inspect.isclass(value) and value.__module__ == found.__name__
    ):
        others = [base for base in cls.__mro__ if not base.__module__.startswith("gan_lightning")]
        inherited = {name for base in others for name in vars(base)}
        assert [
            name for name in vars(cls) if is_private(name) and name in inherited - {"_abc_impl", "_backward_cls"}
        ] == []
