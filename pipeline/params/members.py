"""Arguments of members of families, checked against the member's own signature."""

import inspect
from collections.abc import Mapping
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError


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
