"""Comparing trees of files by their bytes, and finding what work has left behind."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

TIMES = ("timing.json", "measures.png")  # they tell how long work took
_LEFT = (".partial", ".lock", ".unfinished", ".finished", ".former", ".trash", ".soft")


def content(folder: Path, names: Iterable[str] = ("",)) -> dict[str, bytes]:
    """Return the bytes of every file below some paths of a folder, by its path in the folder."""
    tops = [folder / name for name in names]
    files = [path for top in tops for path in ([top] if top.is_file() else sorted(top.rglob("*")))]
    found = [path for path in files if path.is_file() and not path.name.endswith(TIMES)]
    return {path.relative_to(folder).as_posix(): _timeless(path) for path in found}


def _timeless(path: Path) -> bytes:
    data = path.read_bytes()
    if path.name != "params.yaml":
        return data
    return re.sub(rb"(?m)^#.*\n", b"", data)  # comments estimate how long a training takes here


def differences(expected: Mapping[str, bytes], found: Mapping[str, bytes]) -> list[str]:
    """Return a line for each file that is missing, is too many, or has other bytes."""
    lines = [f"{name} is missing" for name in expected if name not in found]
    lines += [f"{name} is too many" for name in found if name not in expected]
    return lines + [f"{name} has other bytes" for name in expected if expected[name] != found.get(name, expected[name])]


def half_written(expected: Mapping[str, bytes], found: Mapping[str, bytes], growing: Iterable[str] = ()) -> list[str]:
    """Return a line for each file with other bytes than in the end; files that grow may be of an earlier moment."""
    lines = []
    for name, data in found.items():
        if any(part.endswith(_LEFT) for part in Path(name).parts):
            continue
        if name not in expected:
            lines.append(f"{name} is visible")
        elif data != expected[name] and not (name.endswith(tuple(growing)) and _is_earlier(data, expected[name])):
            lines.append(f"{name} is half written")
    return lines


def _is_earlier(data: bytes, expected: bytes) -> bool:
    """Return whether a file that grows is the beginning of what it will be, or a whole picture of an earlier step."""
    return expected.startswith(data) or (data[:4] == b"\x89PNG" and data.endswith(b"IEND\xaeB`\x82"))


def leftovers(folder: Path) -> list[str]:
    """Return the paths below a folder that are work, not results."""
    found = [path for path in sorted(folder.rglob("*")) if path.name.endswith(_LEFT) and path.name != "dvc.lock"]
    found += sorted((folder / ".self2align").glob("*"))
    return [path.relative_to(folder).as_posix() for path in found]
