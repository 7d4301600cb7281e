"""Families of interchangeable members: literal dicts of name -> "module:attribute", loaded when chosen."""

import inspect
from collections.abc import Mapping
from importlib import import_module
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError


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


def check_arguments(member: Any, arguments: Mapping[str, Any], key: str) -> None:
    """Check arguments against a member's keyword-only parameters and their annotations.

    Raises
    ------
    ValueError
        For an unknown name, or a value that does not match its annotation.
    """
    callee = member.__init__ if inspect.isclass(member) else member
    hints = get_type_hints(callee, include_extras=True)
    known = [p.name for p in inspect.signature(callee).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for name, value in arguments.items():
        if name not in known:
            raise ValueError(f"{key}.{name}: found an unknown key, expected one of {', '.join(known) or 'none'}")
        try:
            TypeAdapter(hints[name], config=ConfigDict(strict=True, allow_inf_nan=False)).validate_python(value)
        except ValidationError as error:
            expected = error.errors()[0]["msg"].replace("Input should be ", "")
            raise ValueError(f"{key}.{name}: found {value!r}, expected {expected}") from error
