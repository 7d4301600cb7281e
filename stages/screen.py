"""What a stage shows: a progress bar on a terminal, plain lines elsewhere; one short table at the end."""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

console = Console(highlight=False, soft_wrap=True)
EVERY = 15.0  # seconds between plain lines


class Bar:
    """Called with (done, total) and, optionally, a note such as the loss."""

    def __init__(self, title: str, progress: Progress | None) -> None:
        self.title, self.progress = title, progress
        self.task = progress.add_task(title, total=None, note="") if progress else None
        self.began = self.last = time.monotonic()
        self.first: int | None = None

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show how far the work is."""
        if self.first is None:
            self.first = done
        if self.progress is not None and self.task is not None:
            self.progress.update(self.task, completed=done, total=total, note=note)
            return
        now = time.monotonic()
        if now - self.last >= EVERY and done < total:
            self.last = now
            rate = (done - self.first) / (now - self.began)
            left = f"{(total - done) / rate:.0f} s left" if rate > 0 else "time left unknown"
            console.print(f"{self.title}: {done} of {total}, {rate:.3g} a second, {left} {note}".rstrip())


@contextmanager
def bar(title: str) -> Iterator[Bar]:
    """Give a progress bar for a piece of work."""
    if not console.is_terminal:
        yield Bar(title, None)
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TaskProgressColumn(show_speed=True),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        yield Bar(title, progress)


def table(title: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Show a short table."""
    console.print(f"[bold]{escape(title)}")
    shown = Table(header_style="bold")
    for number, name in enumerate(header):
        shown.add_column(name, justify="left" if number == 0 else "right")
    for row in rows:
        shown.add_row(*(escape(f"{cell:.4g}" if isinstance(cell, float) else str(cell)) for cell in row))
    console.print(shown, soft_wrap=False)


def say(text: str) -> None:
    """Show a line."""
    console.print(text, markup=False)
