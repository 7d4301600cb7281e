"""A page of pictures and short texts, drawn pixel by pixel, because pictures of noise must not be resampled.

The font is DejaVu Sans, which comes with matplotlib, so a page looks the same on every machine.
"""

import io
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]

INK = (28, 30, 34)
FADED = (104, 109, 118)
RULE = (214, 217, 222)
EMPTY = (240, 241, 244)
PAPER = (255, 255, 255)


@cache
def _font(size: int, bold: bool) -> ImageFont.FreeTypeFont:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / name
    # The basic layout, because the other one needs a library that is not always installed.
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def text_width(text: str, size: int, bold: bool = False) -> int:
    """Return the width of a line, px."""
    return int(np.ceil(_font(size, bold).getlength(text)))


def shorten(text: str, width: int, size: int, bold: bool = False) -> str:
    """Return a text that is at most ``width`` px wide; a longer one gets an ellipsis in its middle."""
    if text_width(text, size, bold) <= width:
        return text
    for kept in range(len(text) - 1, 1, -1):
        tail = kept // 2
        shown = f"{text[: kept - tail]}…{text[len(text) - tail :]}"
        if text_width(shown, size, bold) <= width:
            return shown
    return "…"


class Canvas:
    """An RGB page, initially white. Positions are in px from its upper left corner."""

    def __init__(self, width: int, height: int) -> None:
        self._image = Image.new("RGB", (width, height), PAPER)
        self._draw = ImageDraw.Draw(self._image)

    def text(
        self,
        x: int,
        y: int,
        text: str,
        *,
        size: int = 12,
        bold: bool = False,
        ink: tuple[int, int, int] = INK,
        anchor: str = "la",
    ) -> None:
        """Write a line; ``anchor`` as in Pillow: "la" is its upper left corner, "ma" its upper middle."""
        self._draw.text((x, y), text, fill=ink, font=_font(size, bold), anchor=anchor)

    def picture(self, x: int, y: int, picture: Picture) -> None:
        """Place a picture, ``(H, W, 3)`` uint8."""
        self._image.paste(Image.fromarray(np.ascontiguousarray(picture)), (x, y))

    def box(self, x: int, y: int, width: int, height: int, ink: tuple[int, int, int], line: int = 1) -> None:
        """Draw the outline of a rectangle, ``line`` px wide, inside its border."""
        self._draw.rectangle((x, y, x + width - 1, y + height - 1), outline=ink, width=line)

    def fill(self, x: int, y: int, width: int, height: int, ink: tuple[int, int, int]) -> None:
        """Fill a rectangle."""
        self._draw.rectangle((x, y, x + width - 1, y + height - 1), fill=ink)

    def pixels(self) -> Picture:
        """Return the page, ``(H, W, 3)`` uint8."""
        return np.asarray(self._image).copy()


def enlarge(picture: Picture, times: int) -> Picture:
    """Repeat every pixel, ``(H, W, 3) -> (times * H, times * W, 3)``."""
    return picture.repeat(times, axis=0).repeat(times, axis=1)


def fit(picture: Picture, width: int, height: int) -> Picture:
    """Reduce a picture to fit into a box, px; a small one is returned unchanged."""
    share = min(width / picture.shape[1], height / picture.shape[0])
    if share >= 1:
        return picture
    size = max(1, round(picture.shape[1] * share)), max(1, round(picture.shape[0] * share))
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def to_picture(values: NDArray[np.floating]) -> Picture:
    """Return values, ``(C, H, W)``, C = 1 or 3, clipped to [0, 1], as a picture, ``(H, W, 3)``."""
    assert values.shape[0] in (1, 3), values.shape
    codes = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(codes, (3, *codes.shape[1:])).transpose(1, 2, 0))


def png_bytes(picture: Picture) -> bytes:
    """Return a picture, ``(H, W, 3)`` or gray ``(H, W)``, uint8, as the bytes of a PNG file."""
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, format="PNG")
    return buffer.getvalue()
