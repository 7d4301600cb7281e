"""Families of interchangeable members: literal dicts of name -> "module:attribute", loaded when chosen."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def load(family: Mapping[str, str], name: str, what: str) -> Any:
    """Return a member of a family; its module is imported now, not before.

    Parameters
    ----------
    family
        A registry such as `self2align.networks.NETWORKS`.
    name
        Name of the member.
    what
        What the family holds, or the key that names the member ("network"); for the error message.

    Raises
    ------
    ValueError
        If the family has no such member; the message lists the known names.
    """
    if name not in family:
        raise ValueError(f"{what}: found {name!r}, expected one of {', '.join(sorted(family))}")
    module, _, attribute = family[name].partition(":")
    return getattr(import_module(module), attribute)
