"""What a result was made from."""

from importlib import import_module
from pathlib import Path
from typing import Any

from self2align.runtime.scratch import file_digest


def source_digest(member: Any) -> str:
    """Return the SHA-256 of the module that defines a class or function.

    It stands in the header of weights, so that a network's changed code gives changed weights, and what depends
    on them is made anew.
    """
    return file_digest(Path(str(import_module(member.__module__).__file__)))
