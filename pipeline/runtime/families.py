"""Families of interchangeable parts: a literal dict of name -> "module:attribute", loaded when chosen."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def load(family: Mapping[str, str], name: str, what: str) -> Any:
    """Return the member of a family, importing its module now and no sooner.

    Parameters
    ----------
    family
        A registry such as ``self2align.networks.NETWORKS``.
    name
        The member wanted.
    what
        What the family holds ("network"), for the error.

    Raises
    ------
    ValueError
        When the family has no such member; the known names are listed.
    """
    if name not in family:
        raise ValueError(f"{what}: found {name!r}, expected one of {', '.join(sorted(family))}")
    module, _, attribute = family[name].partition(":")
    return getattr(import_module(module), attribute)
