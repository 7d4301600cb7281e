"""The style of all plots."""

import io
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's palette, which is safe for color-blind readers.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")


def save_png(figure: Figure) -> bytes:
    """Return a figure as a PNG file."""
    buffer = io.BytesIO()
    # Otherwise matplotlib writes its name and version.
    figure.savefig(buffer, format="png", dpi=120, metadata={"Software": None})
    return buffer.getvalue()


def plain_axis(axis: Axes, title: str, grid: Literal["x", "y"]) -> None:
    """Style an axis: a title on the left, a light grid, one spine."""
    axis.set_title(title, loc="left", fontsize=10.5, fontweight="bold")
    axis.tick_params(labelsize=9, color="#9aa0a8", labelcolor="#44484f")
    axis.grid(axis=grid, color="#e4e6ea", linewidth=0.8)
    axis.set_axisbelow(True)
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.spines["bottom"].set_color("#9aa0a8")
