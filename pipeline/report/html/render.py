"""Renders the HTML templates: a page holds everything it shows, and the same figures give the same bytes."""

import re
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup, escape

from self2align.report.html.plots import DASHES, SHAPES
from self2align.report.plots import COLORS


def _read(name: str) -> str:
    return files("self2align.report.html").joinpath(name).read_text(encoding="utf-8")


def inline(text: str) -> Markup:
    """Return a text with Markdown's `code` and *emphasis* as HTML; everything else is escaped."""
    html = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(re.sub(r"\*([^*]+)\*", r"<em>\1</em>", html))


def render(template: str, *, title: str, first: str, **values: Any) -> str:
    """Return a page that loads nothing else, from a template of this folder. All values are escaped.

    Parameters
    ----------
    template
        Extends ``base.html.j2``.
    title
        Of the page.
    first
        Id of the section that the link "Skip to the figures" leads to.
    values
        Variables of the template, among them ``summary``.
    """
    environment = Environment(
        loader=FunctionLoader(_read), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(shapes=SHAPES, dashes=DASHES, colors=COLORS)
    environment.filters["inline"] = inline
    page = environment.get_template(template)
    return page.render(title=title, first=first, style=_read("style.css"), script=_read("script.js"), **values)
