"""Output on the screen: a progress bar on a terminal, plain lines elsewhere; short tables and lines."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

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

from self2align.training.launched import is_first

if TYPE_CHECKING:
    from self2align.report.html.extra import PageSection
    from self2align.stores.frames import SceneRecord

# Of several processes that train together the first one tells how it goes.
console = Console(highlight=False, soft_wrap=True, quiet=not is_first())
EVERY = 15.0  # seconds between plain lines
LISTED = 20  # rows of a table


class Bar:
    """A progress display, called with (done, total) and optionally a note such as the loss."""

    def __init__(self, title: str, progress: Progress | None) -> None:
        self.title, self.progress = title, progress
        self.task = progress.add_task(title, total=None, note="") if progress else None
        self.began = self.last = time.monotonic()
        self.first: int | None = None

    def __call__(self, done: int, total: int, note: str = "") -> None:
        """Show how far the work is. See `self2align.runtime.progress.NotedProgress`."""
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
            console.print(f"{self.title}: {done} of {total}, {rate:.3g} per second, {left} {note}".rstrip())


@contextmanager
def bar(title: str, stays: bool = True) -> Iterator[Bar]:
    """Open a progress display for a piece of work, which stays when it ends. See `self2align.runtime.progress.Bars`."""
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
    with Progress(*columns, console=console, transient=not stays) as progress:
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


def show_figures(out: Path, figures: Mapping[str, object], notes: Iterable[str]) -> None:
    """Show how a training went: its notes, then its figures in a table."""
    for note in notes:
        say(note)
    single = [(name, value) for name, value in figures.items() if not isinstance(value, Mapping)]
    table(str(out), ["figure", "value"], [[name, "none" if value is None else value] for name, value in single])


def show_scenes(out: Path, scenes: "Sequence[SceneRecord]", notes: Sequence[str]) -> None:
    """Show the scenes of a new store of frames, and a line for each scene that was left out."""
    for note in notes:
        say(note)
    rows: list[list[object]] = [[one.name, one.count, f"{one.height} x {one.width}"] for one in scenes[:LISTED]]
    if len(scenes) > LISTED:
        rows.append([f"... and {len(scenes) - LISTED} more", "", ""])
    count = f"{len(scenes)} scene" + "s" * (len(scenes) != 1)
    table(f"{out}: {count}, {len(notes)} left out", ["scene", "frames", "px"], rows)


def show_page(files: Sequence[Path], parts: "Sequence[PageSection]") -> None:
    """Show the tables of a page that was written, and where it lies."""
    for part in parts:
        table(part.title, part.header, part.rows)
        for line in part.skipped():
            say(line)
    say(", ".join(map(str, files)))
