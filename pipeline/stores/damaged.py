"""One line in place of what Zarr raises on a store that is damaged, or none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from zarr.errors import BaseZarrError

# Zarr trusts its metadata: a wrong value can raise any of these. Codecs raise RuntimeError.
BROKEN = (
    *(ArithmeticError, AttributeError, BaseZarrError, LookupError, OSError, RecursionError, RuntimeError),
    *(TypeError, ValueError),
)


def text_of(error: BaseException) -> str:
    """Return an error's own words on one line; its kind where they say too little alone."""
    text = " ".join(str(error).split())
    said = isinstance(error, (OSError, ValueError, RuntimeError)) and bool(text)
    return text if said else f"{type(error).__name__} {text}".strip()


@contextmanager
def as_line(path: Path, expected: str) -> Iterator[None]:
    """Report any error of Zarr in one line.

    Parameters
    ----------
    path
        Of the store or array, which the line names.
    expected
        What it should be: "a whole store of frames".
    """
    try:
        yield
    except BROKEN as error:
        if isinstance(error, ValueError) and str(error).startswith(f"{path}: "):
            raise
        raise ValueError(f"{path}: found {text_of(error)}, expected {expected}") from error
