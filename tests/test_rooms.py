"""The rooms of the package: imports run one way, and the list of packages is whole."""

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# From the ground up, as docs/architecture.md lists them: a room imports only rooms before it.
ROOMS = (
    "runtime",
    "networks",
    "stores",
    "images",
    "videos",
    "noise",
    "alignment",
    "measuring",
    "sources",
    "pairs",
    "methods",
    "samplers",
    "objectives",
    "training",
    "denoising",
    "media",
    "evaluation",
    "report",
    "params",
    "survey",
    "stages",
)
READS_PARAMS = {"params", "survey", "stages"}
STAGES = sorted(path for path in (ROOT / "stages").rglob("*.py") if path.name != "__init__.py")


def _files(room: str) -> list[Path]:
    return sorted((ROOT / ("stages" if room == "stages" else f"pipeline/{room}")).rglob("*.py"))


def _imported_rooms(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    parts = [name.split(".") for name in names if name.startswith("self2align.")]
    return {part[1] for part in parts} & set(ROOMS)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_rooms_below_it(room: str) -> None:
    below = set(ROOMS[: ROOMS.index(room) + 1])
    wrong = {
        f"{path.relative_to(ROOT)} imports {other}" for path in _files(room) for other in _imported_rooms(path) - below
    }
    assert not sorted(wrong)


@pytest.mark.parametrize("room", sorted(set(ROOMS) - READS_PARAMS))
def test_library_rooms_do_not_know_the_parameter_file_and_print_nothing(room: str) -> None:
    for path in _files(room):
        text = path.read_text(encoding="utf-8")
        assert "params" not in _imported_rooms(path), path
        assert not re.search(r"^\s*print\(", text, re.MULTILINE), path
        assert "rich" not in {name.split(".")[0] for name in re.findall(r"^\s*(?:from|import) ([\w.]+)", text, re.M)}, (
            path
        )


def test_the_architecture_page_lists_the_rooms_in_the_same_order() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    tree = page.split("```")[1]
    listed = re.findall(r"^  (\w+)/ ", tree.split("pipeline/")[1], re.MULTILINE)
    assert listed == [room for room in ROOMS if room != "stages"]
    assert sorted(listed) == sorted(
        path.name for path in (ROOT / "pipeline").iterdir() if (path / "__init__.py").is_file()
    )


def test_every_folder_of_modules_is_in_the_wheel() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {path.parent.relative_to(ROOT) for name in ("pipeline", "stages") for path in (ROOT / name).rglob("*.py")}
    wanted = {".".join(("self2align", *path.parts[1:])) for path in folders if path.parts[0] == "pipeline"}
    wanted |= {".".join(("self2align", *path.parts)) for path in folders if path.parts[0] == "stages"}
    assert set(settings["packages"]) == wanted | {"self2align.shipped"}


@pytest.mark.parametrize("path", STAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_stage_imports_no_other_stage(path: Path) -> None:
    if path.name in ("cli.py", "run.py"):
        return
    text = path.read_text(encoding="utf-8")
    others = set(re.findall(r"from self2align\.stages\.([\w.]+) import", text))
    assert others <= {"screen"}


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.name)
def test_benchmarks_import_the_library_and_no_stage(path: Path) -> None:
    assert "stages" not in _imported_rooms(path)
