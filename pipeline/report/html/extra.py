"""Pages of the tools that measure on demand (`costs`, `sweep`): the same tables in HTML and in Markdown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from self2align.report.html.grids import Grid, grid
from self2align.report.html.plots import Plot
from self2align.report.html.render import render
from self2align.report.tables import markdown, skipped_lines


@dataclass(frozen=True)
class PageSection:
    """A section of a page.

    Attributes
    ----------
    title, text
        The text may be empty.
    caption, header, rows
        Of its table.
    results
        Row -> result; the row of ``{"skipped": reason}`` shows the reason instead of figures.
    plots
        Below the table, in HTML only.
    """

    title: str
    text: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    results: Mapping[str, Any]
    plots: Sequence[Plot] = ()

    def grid(self) -> Grid:
        """Return the table for the page."""
        return grid(self.caption, (self.header, self.rows), self.results)

    def skipped(self) -> list[str]:
        """Return a line for each row that did not run."""
        return skipped_lines(self.results)


def extra_html(title: str, summary: Mapping[str, str], parts: Sequence[PageSection]) -> str:
    """Return a page in HTML; the summary, name -> text, heads the page."""
    return render("extra.html.j2", title=title, first="part-1", summary=summary, parts=parts)


def extra_markdown(title: str, summary: Mapping[str, str], parts: Sequence[PageSection]) -> str:
    """Return the same page in Markdown, without plots."""
    texts = [f"# {title}", "\n".join(f"- {name}: {text}" for name, text in summary.items())]
    for part in parts:
        texts += [f"## {part.title}", part.text, markdown(part.header, part.rows), part.caption]
        texts += ["\n".join(part.skipped())] if part.skipped() else []
    return "\n\n".join(text for text in texts if text) + "\n"
