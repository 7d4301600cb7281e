"""Unfinished work: a folder named by the hash of everything that decides the result.

After a kill, the same command finds its finished parts there. A run with other inputs, parameters or code uses another
folder. The folder lies under the project (``.self2align/``), on the same file system as the outputs, so a finished
result is moved into place in one step.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from self2align.runtime.disk import move, written
from self2align.runtime.locks import locked
from self2align.runtime.provenance import code_digest


def root() -> Path:
    """Return the folder for unfinished work: ``$SELF2ALIGN_SCRATCH``, or ``.self2align`` in the working folder."""
    return Path(os.environ.get("SELF2ALIGN_SCRATCH", ".self2align"))


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def workspace(name: str, inputs: Mapping[str, Any], *code: Any) -> Iterator[Path]:
    """Yield the folder of one piece of work. It is removed when the work succeeds and kept when it fails.

    Parameters
    ----------
    name
        The stage, and its item where it has several ("train_baselines-n2n").
    inputs
        Parameters and digests that decide the result; JSON values only.
    code
        Functions and classes whose code decides the result; see `self2align.runtime.provenance.code_digest`.

    Yields
    ------
    Path
        An existing folder that only this process uses: a second run of the same work waits until the first ends.
    """
    text = json.dumps([dict(inputs), code_digest(*code)], sort_keys=True, separators=(",", ":"))
    folder = root() / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder.with_suffix(".lock")):
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
        # Renamed first: a kill while files are removed would leave what looks like unfinished work.
        trash = folder.with_suffix(f".{os.getpid()}.trash")
        move(folder, trash)
        for leftover in root().glob("*.trash"):
            shutil.rmtree(leftover, ignore_errors=True)
    folder.with_suffix(".lock").unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file completely or not at all."""
    with written(path) as file:
        file.write(data)


def write_json(path: Path, value: Any) -> None:
    """Write readable JSON with sorted keys, completely or not at all."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_atomically(path, (text + "\n").encode())
