"""The order of file names."""

import re


def natural(name: str) -> tuple[tuple[tuple[tuple[str, int], ...], ...], str]:
    """Return a sort key under which "img2" comes before "img10", and a folder's content stays together."""
    return tuple(_pieces(part) for part in name.split("/")), name


def _pieces(part: str) -> tuple[tuple[str, int], ...]:
    """Return the texts of a name, each with the number that follows it (-1: none)."""
    split = re.split(r"(\d+)", part)
    return tuple(zip(split[0::2], [*map(int, split[1::2]), -1], strict=True))
