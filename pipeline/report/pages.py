"""Writes the pages of the tools that measure on demand."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from self2align.report.html.extra import PageSection, extra_html, extra_markdown
from self2align.runtime.scratch import write_atomically


def write_page(out: Path, title: str, summary: Mapping[str, str], parts: Sequence[PageSection]) -> tuple[Path, Path]:
    """Write a page as Markdown and as HTML.

    Parameters
    ----------
    out
        Path without a suffix.
    title, summary, parts
        See `self2align.report.html.extra`.

    Returns
    -------
    tuple
        The two files, ``out`` with the suffixes .md and .html.
    """
    markdown, page = out.with_suffix(".md"), out.with_suffix(".html")
    write_atomically(markdown, extra_markdown(title, summary, parts).encode())
    write_atomically(page, extra_html(title, summary, parts).encode())
    return markdown, page
