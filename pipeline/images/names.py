"""File names: their order, and the file of a name."""

import re
from collections.abc import Iterable
from pathlib import Path


def natural(name: str) -> tuple[tuple[tuple[tuple[str, int], ...], ...], str]:
    """Return a sort key under which "img2" comes before "img10", and a folder's content stays together."""
    return tuple(_pieces(part) for part in name.split("/")), name


def _pieces(part: str) -> tuple[tuple[str, int], ...]:
    """Return the texts of a name, each with the number that follows it (-1: none)."""
    split = re.split(r"(\d+)", part)
    return tuple(zip(split[0::2], [*map(int, split[1::2]), -1], strict=True))


def file_of(base: Path, suffixes: Iterable[str]) -> Path:
    """Return the only file of a name without suffix. Its folder is listed only where the suffix is written oddly.

    Parameters
    ----------
    base
        Path without suffix.
    suffixes
        Those that it can have, lower case.

    Raises
    ------
    ValueError
        If there is no such file, or there are several.
    """
    known = frozenset(suffixes)
    usual = [base.with_name(base.name + shown) for name in sorted(known) for shown in (name, name.upper())]
    found = {file.resolve(): file for file in usual if file.is_file()}
    if not found and base.parent.is_dir():
        beside = (file for file in base.parent.iterdir() if file.suffix.lower() in known and file.stem == base.name)
        found = {file.resolve(): file for file in beside if file.is_file()}
    if len(found) != 1:
        raise ValueError(f"{base}: found {len(found)} files of that name ({', '.join(sorted(known))}), expected one")
    return next(iter(found.values()))
