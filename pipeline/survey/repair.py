"""How a damaged result is restored: from DVC's cache where that holds it whole, else by running its stage again."""

import hashlib
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

LOCK = Path("dvc.lock")


def advice(path: Path) -> str:
    """Return the command that restores a damaged file or store of the working folder.

    DVC itself sees neither a change that keeps size and time of a file, nor one in its cache.
    """
    name = shlex.quote(str(path))
    found = _output(path)
    if found is None:
        return "no stage in dvc.lock makes it: put a whole copy in its place"
    stage, digest = found
    wrong, absent = [], False
    for oid, place in _objects(_cache_folder(), digest):
        absent = absent or not place.is_file()
        if place.is_file() and _md5(place) != oid.removesuffix(".dir"):
            wrong.append(place)
    if not wrong and not absent:
        return f"`rm -r {name} && dvc checkout {name}` restores it from the cache"
    # A file that the cache holds already is not stored again.
    removed = " ".join(shlex.quote(str(place)) for place in wrong)
    clear = f"rm -rf {name} {removed}".rstrip()
    return f"the cache has no whole copy: `{clear} && dvc repro -s -f {shlex.quote(stage)}`"


def _output(path: Path) -> tuple[str, str] | None:
    """Return the stage that writes a path, and the digest by which DVC's cache holds it."""
    if not LOCK.is_file():
        return None
    stages: dict[str, Any] = YAML(typ="safe", pure=True).load(LOCK.read_text(encoding="utf-8")).get("stages") or {}
    for stage, state in stages.items():
        for out in state.get("outs", []):
            if Path(out["path"]) == path and "md5" in out:
                return stage, str(out["md5"])
    return None


def _objects(cache: Path, digest: str) -> Iterator[tuple[str, Path]]:
    """Yield the digests of a file, or of a folder's list and of its files, and where the cache has them."""
    place = cache / digest[:2] / digest[2:]
    yield digest, place
    if digest.endswith(".dir") and place.is_file() and _md5(place) == digest.removesuffix(".dir"):
        for entry in json.loads(place.read_text(encoding="utf-8")):
            yield entry["md5"], cache / entry["md5"][:2] / entry["md5"][2:]


def _cache_folder() -> Path:
    command = [sys.executable, "-P", "-m", "dvc", "cache", "dir"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    folder = Path(asked.stdout.strip() or ".dvc/cache") / "files" / "md5"
    here = Path.cwd()
    return folder.relative_to(here) if folder.is_relative_to(here) else folder


def _md5(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def shared(folder: Path) -> list[Path]:
    """Return the results below a folder that are one file with DVC's cache: by a hard or a symbolic link."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return [path for path in files if path.is_symlink() or path.stat().st_nlink > 1]
