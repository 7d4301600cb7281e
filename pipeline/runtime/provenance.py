"""The code that a result is made by: one definition, for scratch folders, weights and the dependencies in dvc.yaml.

The code of a member (a class, a function, an object of a family) is its module and every module of the package that it
imports, directly or not. Imports are read from the source text, those inside functions too. Not part of it:

- registries and other ``__init__.py``: they name the members of a family but load none, so adding a member changes no
  result;
- the schema of the parameters (`self2align.params`) and presentation (`self2align.report`, `self2align.stages.screen`):
  they change how values are checked and shown, not what is computed. The stage `report` depends on its room as a whole.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

PACKAGE = "self2align"
EXEMPT = ("self2align.params", "self2align.report", "self2align.stages.screen", "self2align.stages.cli")


def module_file(name: str) -> Path | None:
    """Return the source file of a module of the package; None for a registry, an exempt module or any other name."""
    exempt = any(name == one or name.startswith(f"{one}.") for one in EXEMPT)
    if exempt or not name.startswith(f"{PACKAGE}."):
        return None
    parts = name.split(".")[1:]
    # The folder `stages` lies beside the package in a checkout and inside it in an installation.
    top = f"{PACKAGE}.stages" if parts[0] == "stages" else PACKAGE
    found = find_spec(top)
    assert found is not None
    assert found.submodule_search_locations is not None
    base = Path(next(iter(found.submodule_search_locations)))
    path = base.joinpath(*parts[top.count(".") :]).with_suffix(".py")
    return path if path.is_file() else None


def _imports(path: Path) -> Iterator[str]:
    """Yield the names that a source file imports; of ``from a import b`` both ``a`` and ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@cache
def imported_modules(name: str) -> frozenset[str]:
    """Return the name of a module of the package and those of all modules of the package that it imports.

    Parameters
    ----------
    name
        "self2align.networks.unet".

    Returns
    -------
    frozenset of str
        Names; without registries and exempt modules (see above).
    """
    seen: set[str] = set()
    todo = {name}
    while todo:
        module = todo.pop()
        path = module_file(module)
        if path is not None:
            seen.add(module)
            todo |= {one for one in _imports(path) if one not in seen}
    return frozenset(seen)


@cache
def package_digest() -> str:
    """Return the SHA-256 of the code of the whole package, without the stages, as it was at the first call."""
    package = import_module(PACKAGE)
    top = Path(next(iter(package.__path__)))
    folders = sorted(one for one in top.iterdir() if one.is_dir() and one.name not in ("stages", "shipped"))
    digest = hashlib.sha256()
    for path in sorted(one for folder in folders for one in folder.resolve().rglob("*.py")):
        digest.update(f"{path.name}\0".encode())
        digest.update(path.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()


@cache
def _modules_digest(names: frozenset[str]) -> str:
    digest = hashlib.sha256()
    for name in sorted(frozenset[str]().union(*(imported_modules(one) for one in names))):
        path = module_file(name)
        assert path is not None
        digest.update(f"{name}\0".encode())
        digest.update(path.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()


def code_digest(*members: Any) -> str:
    """Return the SHA-256 of the code of some members together: their modules and what these import.

    Parameters
    ----------
    members
        Classes, functions or modules of the package. Members of other packages add nothing.
    """
    names = (getattr(one, "__module__", None) or getattr(one, "__name__", "") for one in members)
    return _modules_digest(frozenset(str(name) for name in names))
