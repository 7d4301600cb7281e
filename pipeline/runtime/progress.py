"""How the library reports progress: callbacks that the caller passes in. The library itself prints nothing."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, cast

# Called with the units done and all units.
Progress = Callable[[int, int], None]


class NotedProgress(Protocol):
    """A progress callback that also takes a short note."""

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show that ``done`` of ``total`` units are done; ``note`` may hold a figure such as the loss."""
        ...


# Opens a progress display with a title, for work of several phases: ``with bars("training") as progress: ...``.
Bars = Callable[[str], AbstractContextManager[NotedProgress]]


def ignore(done: int, total: int, note: str = "") -> None:
    """Show nothing."""


@contextmanager
def silent(title: str) -> Iterator[NotedProgress]:
    """Open no display: the default of library functions that take `Bars`."""
    yield ignore


def noted(progress: Progress) -> NotedProgress:
    """Return a progress that takes a note, which is dropped where the given one takes none."""
    try:
        inspect.signature(progress).bind(0, 0, "")
    except TypeError:
        return lambda done, total, note="": progress(done, total)
    return cast(NotedProgress, progress)


def part(progress: Progress, number: int, count: int) -> Progress:
    """Return the progress of piece ``number`` of ``count`` equal pieces, as a part of the whole."""
    return lambda done, total: progress(number * total + done, count * total)
