"""Unfinished work: a folder named by the hash of everything that decides the result.

A killed run finds its finished parts there again; a run with other inputs, parameters or
code never meets them. The folder lies under the project (``.self2align/``), on the same file
system as the outputs, so that a finished result is moved into place in one step.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from filelock import FileLock


def root() -> Path:
    """Return the folder for unfinished work: ``$SELF2ALIGN_SCRATCH``, or ``.self2align`` here."""
    return Path(os.environ.get("SELF2ALIGN_SCRATCH", ".self2align"))


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@cache
def code_digest() -> str:
    """Return the SHA-256 of all of the project's modules: other code, other unfinished work."""
    digest = hashlib.sha256()
    for package in ("pipeline", "stages"):
        base = Path(str(import_module(package).__file__)).parent
        for path in sorted(base.rglob("*.py")):
            digest.update(f"{package}/{path.relative_to(base).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def workspace(name: str, inputs: Mapping[str, Any]) -> Iterator[Path]:
    """Give the folder of one piece of work; remove it when the work ends well, keep it when it does not.

    Parameters
    ----------
    name
        The stage, and its item where it has several ("train_baselines-n2n").
    inputs
        Parameters and digests that decide the result; JSON values only.

    Yields
    ------
    Path
        An existing folder that this process alone works in: a second run of the same work
        waits until the first has ended.
    """
    text = json.dumps([dict(inputs), code_digest()], sort_keys=True, separators=(",", ":"))
    folder = root() / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        # Gone in one step: half a folder would pass for unfinished work.
        trash = folder.with_suffix(f".{os.getpid()}.trash")
        folder.replace(trash)
        for leftover in root().glob("*.trash"):
            shutil.rmtree(leftover, ignore_errors=True)
    folder.with_suffix(".lock").unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    with partial.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Write canonical, readable JSON: sorted keys, whole or not at all."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_atomically(path, (text + "\n").encode())


def move_into_place(made: Path, final: Path) -> None:
    """Move a finished file or folder to where it belongs, replacing what was there."""
    final.parent.mkdir(parents=True, exist_ok=True)
    if final.is_dir() and not final.is_symlink():
        shutil.rmtree(final)
    made.replace(final)
