"""Reading params.yaml. An error names the first wrong value and the full name of its key, in one line."""

import inspect
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import ReusedAnchorWarning, YAMLError

if TYPE_CHECKING:
    from self2align.params.schema import Params

Item = TypeVar("Item")
LONGEST = 300  # characters of what the parser says, which may quote all of a line
# The parser's own constructors raise these for a tag or number that they cannot read, and for lists nested too deep.
_BROKEN = (ArithmeticError, AttributeError, LookupError, RecursionError, ReusedAnchorWarning, TypeError, ValueError)


def load(path: Path) -> "Params":
    """Read and check a parameter file.

    Raises
    ------
    ValueError
        For the first wrong value: file, key, what was found, what was expected.
    """
    if not path.is_file():
        raise ValueError(f"{path}: found no file, expected parameters (self2align profile default writes them)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", ReusedAnchorWarning)  # an alias would mean the later one without a word
            content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except (YAMLError, *_BROKEN) as error:
        text = " ".join(str(error).split())[:LONGEST] or type(error).__name__
        raise ValueError(f"{path}: found broken YAML ({text}), expected parameters") from error
    # Imported here: a missing file is told before torch is loaded, which the schema needs.
    from self2align.params.checks import check
    from self2align.params.schema import Params

    try:
        params = Params.model_validate(content)
    except ValidationError as error:
        raise ValueError(f"{path}: {_first_error(error)}") from error
    try:
        check(params)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return params


def _first_error(error: ValidationError) -> str:
    # A mistyped key gives two errors, one unknown and one missing key. The unknown one shows the mistake.
    first = min(error.errors(), key=lambda one: one["type"] != "extra_forbidden")
    key = ".".join(str(part) for part in first["loc"] if part != "[key]") or "the file"
    found = first["input"]
    if first["type"] == "missing":
        return f"{key}: found nothing, expected a value"
    if first["type"] == "extra_forbidden":
        return f"{key}: found an unknown key, expected one of {_siblings(first['loc'])}"
    if first["type"] == "value_error":
        return f"{key}.{first['msg'].removeprefix('Value error, ')}"
    expected = first["msg"].replace("Input should be ", "").removeprefix("a valid ")
    shown = repr(found) if len(repr(found)) < 60 else type(found).__name__
    return f"{key}: found {shown}, expected {expected}"


def _siblings(place: tuple[int | str, ...]) -> str:
    from self2align.params.schema import Params

    model: Any = Params
    for part in place[:-1]:
        fields = getattr(model, "model_fields", None)
        hint = fields[part].annotation if fields and part in fields else model
        model = _section_of(hint) or model
    return ", ".join(getattr(model, "model_fields", {}))


def _section_of(hint: Any) -> Any:
    from self2align.params.schema import Section

    if inspect.isclass(hint) and issubclass(hint, Section):
        return hint
    for inner in getattr(hint, "__args__", ()):
        found = _section_of(inner)
        if found is not None:
            return found
    return None


def item(items: Mapping[str, Item], name: str, key: str) -> Item:
    """Return an item of a section by name.

    Parameters
    ----------
    items
        The section.
    name
        Name of the item.
    key
        File and full name of the section, for the error.

    Raises
    ------
    ValueError
        If there is no such item; the message lists the known names.
    """
    if name not in items:
        raise ValueError(f"{key}: found no {name!r}, expected one of {', '.join(items) or 'none: it is empty'}")
    return items[name]
