"""Contact sheets: rows of pictures under column titles, with a legend of the colours."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from self2align.report.canvas import (
    FADED,
    RULE,
    Canvas,
    Picture,
    enlarge,
    fit,
    shorten,
    text_width,
    to_picture,
)
from self2align.report.flow_colors import flow_to_rgb, round_reach, wheel_picture

MARGIN, GAP = 20, 8
HEAD, CAPTION, NOTE, SPACE = 62, 19, 19, 18  # px, heights
WHEEL = 72
SMALL, LARGE = 128, 288  # px: smaller pictures are enlarged by an integer factor, larger ones are reduced
WIDE = 560  # px, minimum width of a page, for the captions


@dataclass(frozen=True)
class SheetRow:
    """One row of a sheet.

    Attributes
    ----------
    caption
        Above the pictures.
    pictures
        ``(H, W, 3)`` uint8; None leaves the place empty.
    notes
        A short text below each picture; may be empty.
    """

    caption: str
    pictures: Sequence[Picture | None]
    notes: Sequence[str]


@dataclass(frozen=True)
class ShownPair:
    """One pair on a sheet.

    Attributes
    ----------
    caption
        Scene, position, scores.
    frames
        Frame numbers of the target and of the neighbour.
    target, source, warped
        ``(C, H, W)``, white being 1; the source without its margin.
    confidence
        ``(H, W)`` in [0, 1].
    transfer
        ``(2, H, W)``, px, x first.
    """

    caption: str
    frames: tuple[int, int]
    target: NDArray[np.float32]
    source: NDArray[np.float32]
    warped: NDArray[np.float32]
    confidence: NDArray[np.float32]
    transfer: NDArray[np.float32]


@dataclass(frozen=True)
class ShownScene:
    """Frames of one scene on a sheet.

    Attributes
    ----------
    caption
        Scene, roles, size.
    numbers, frames
        Frame numbers and pictures, ``(H, W, 3)`` uint8, of the first, the middle and the last frame.
    transfer
        True transfer field, ``(2, H, W)``, px; None if it is unknown.
    """

    caption: str
    numbers: Sequence[int]
    frames: Sequence[Picture]
    transfer: NDArray[np.float32] | None


def pair_sheet(title: str, pairs: Sequence[ShownPair]) -> Picture:
    """Return a sheet of aligned pairs, ``(H, W, 3)`` uint8; each transfer field has its own scale, in px."""
    rows = []
    for pair in pairs:
        reach = round_reach(pair.transfer)
        images = [to_picture(values) for values in (pair.target, pair.source, pair.warped)]
        maps = [to_picture(pair.confidence[None]), flow_to_rgb(pair.transfer, reach)]
        frames = [f"frame {number}" for number in pair.frames]
        notes = [*frames, "", f"mean {pair.confidence.mean():.2f}", f"rim at {reach:g} px"]
        rows.append(SheetRow(pair.caption, [*images, *maps], notes))
    columns = ["target", "neighbour", "warped", "confidence", "transfer field"]
    return contact_sheet(title, columns, rows, fields=True, confidence=True)


def scene_sheet(title: str, scenes: Sequence[ShownScene]) -> Picture:
    """Return a sheet of scenes, ``(H, W, 3)`` uint8; each true transfer field has its own scale, in px."""
    fields = any(scene.transfer is not None for scene in scenes)
    most = max(len(scene.frames) for scene in scenes)
    columns = ["first frame", "middle frame", "last frame"] if most == 3 else ["frame", "last frame"][:most]
    rows = []
    for scene in scenes:
        missing = most - len(scene.frames)
        pictures: list[Picture | None] = [*scene.frames, *[None] * missing]
        notes = [*(f"frame {number}" for number in scene.numbers), *[""] * missing] if most > 1 else [""]
        if fields and scene.transfer is not None:
            reach = round_reach(scene.transfer)
            pictures.append(flow_to_rgb(scene.transfer, reach))
            notes.append(f"rim at {reach:g} px")
        rows.append(SheetRow(scene.caption, pictures, notes))
    return contact_sheet(title, [*columns, "true transfer field"] if fields else columns, rows, fields=fields)


def contact_sheet(
    title: str,
    columns: Sequence[str],
    rows: Sequence[SheetRow],
    *,
    fields: bool = False,
    confidence: bool = False,
) -> Picture:
    """Return a sheet.

    Parameters
    ----------
    title
        At the top.
    columns
        Titles, one per picture of a row.
    rows
        At least one, each with at least one picture. Pictures with a side above 288 px are reduced, those
        below 128 px are enlarged by an integer factor.
    fields, confidence
        Whether the legend explains the colours of transfer fields and the gray levels of confidence maps.

    Returns
    -------
    NDArray
        ``(H, W, 3)`` uint8.
    """
    prepared = [[_prepare(picture) for picture in row.pictures] for row in rows]
    cell = max(picture.shape[1] for pictures in prepared for picture in pictures if picture is not None)
    heights = [max(p.shape[0] for p in pictures if p is not None) for pictures in prepared]
    notes = [NOTE if any(row.notes) else 0 for row in rows]
    width = max(WIDE, 2 * MARGIN + len(columns) * (cell + GAP) - GAP)
    legend = WHEEL + 32 if fields or confidence else 0
    body = sum(CAPTION + tall + note + SPACE for tall, note in zip(heights, notes, strict=True))
    canvas = Canvas(width, MARGIN + HEAD + body + legend + MARGIN - SPACE // 2)
    canvas.text(MARGIN, MARGIN, shorten(title, width - 2 * MARGIN, 15, bold=True), size=15, bold=True)
    for number, name in enumerate(columns):
        canvas.text(_left(number, cell), MARGIN + 32, shorten(name, cell, 12, bold=True), size=12, bold=True)
    canvas.fill(MARGIN, MARGIN + 51, width - 2 * MARGIN, 1, RULE)
    y = MARGIN + HEAD
    for row, pictures, tall, note in zip(rows, prepared, heights, notes, strict=True):
        canvas.text(MARGIN, y, shorten(row.caption, width - 2 * MARGIN, 11), size=11)
        for number, (picture, text) in enumerate(zip(pictures, row.notes, strict=True)):
            if picture is not None:
                canvas.picture(_left(number, cell), y + CAPTION, picture)
            below = y + CAPTION + tall + 4
            canvas.text(_left(number, cell), below, shorten(text, cell, 11), size=11, ink=FADED)
        y += CAPTION + tall + note + SPACE
    if legend:
        _legend(canvas, y + 4, fields, confidence, width)
    return canvas.pixels()


def _left(column: int, cell: int) -> int:
    return MARGIN + column * (cell + GAP)


def _prepare(picture: Picture | None) -> Picture | None:
    if picture is None:
        return None
    fitted = fit(picture, LARGE, LARGE)
    longest = max(fitted.shape[:2])
    return enlarge(fitted, -(-SMALL // longest)) if longest < SMALL else fitted


def _legend(canvas: Canvas, y: int, fields: bool, confidence: bool, width: int) -> None:
    canvas.fill(MARGIN, y, width - 2 * MARGIN, 1, RULE)
    x, y = MARGIN, y + 14
    if fields:
        canvas.picture(x, y, wheel_picture(WHEEL))
        lines = (
            "transfer field: hue is the direction, as on the wheel (right is right, down is down)",
            "white is no motion; below each field is the length at the rim, longer motion is darker",
        )
        x += WHEEL + 14
        for number, line in enumerate(lines):
            canvas.text(x, y + 4 + 17 * number, shorten(line, width - MARGIN - x, 11), size=11, ink=FADED)
        y += 44
    if confidence:
        ramp = np.repeat(np.arange(0, 256, 2, dtype=np.uint8)[None, :, None], 3, axis=2).repeat(12, axis=0)
        label = "confidence 0"
        canvas.text(x, y, label, size=11, ink=FADED)
        x += text_width(label, 11) + 8
        canvas.picture(x, y, ramp)
        canvas.box(x, y, ramp.shape[1], ramp.shape[0], RULE)
        canvas.text(x + ramp.shape[1] + 8, y, "1", size=11, ink=FADED)
