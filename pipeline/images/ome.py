"""What an OME-TIFF file holds by itself: its XML may describe files beside it, and planes that are in none of them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile

from self2align.images.ome_xml import Block, Changes, changed

MOST_XML = 2**26  # bytes of a companion file


@dataclass(frozen=True)
class Alone:
    """What is true of a file without those beside it.

    Attributes
    ----------
    xml
        OME-XML of the planes that the file holds, without identifiers, by which files name each other. None if these
        planes are no whole block, or if the XML is in another file, which is absent.
    parts
        What the file holds of each image of which it does not hold all.
    files
        Names of the other files, as the XML has them.
    identified
        Whether the XML as it stands in the file has identifiers.
    """

    xml: str | None
    parts: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    identified: bool = False

    @property
    def lines(self) -> list[str]:
        """Return what to know about a result made of the file."""
        lines = [self.apart] if self.apart else []
        if self.xml is None:
            lines.append("not read and not written: its OME-XML, so that its axes are not known")
        elif self.identified:
            lines.append("not written: the identifiers (UUID) in its OME-XML, which are of that file")
        return lines

    @property
    def apart(self) -> str | None:
        """Return what a line says of a file that is a part of more; None if it is the whole."""
        if not self.parts and not self.files and self.xml is not None:
            return None
        held = ", ".join(self.parts) or "a part"
        beside = (
            f" (the rest in {', '.join(self.files[:3])}{', ...' if len(self.files) > 3 else ''})" if self.files else ""
        )
        return f"holds {held} of its OME series{beside}; it is read alone"


def stand_alone(source: Path, xml: str, pages: int) -> Alone:
    """Return what a file holds by itself.

    Parameters
    ----------
    source
        The file.
    xml
        OME-XML as it stands in it. If that only names another file, this is read instead.
    pages
        How many pages it has.

    Raises
    ------
    ValueError
        If the XML is broken.
    """
    root = _parsed(source, xml)
    only = _children(root, "BinaryOnly")
    identifier = (only[0] if only else root).get("UUID", "")
    if only:
        name = only[0].get("MetadataFile", "")
        told = _companion(source, name)
        if told is None:
            return Alone(None, files=[name or "not named"], identified=True)
        xml, root = told, _parsed(source, told)
    named = [node for node in root.iter() if _name(node) == "UUID"]
    own = _own(source, named, identifier)
    others = sorted({node.get("FileName", "") for node in named if (node.text or "").strip() not in own} - {""})
    parts: list[str] = []
    blocks: dict[int, Block] = {}
    left_out: dict[int, str] = {}
    whole = True
    for number, image in enumerate(_children(root, "Image")):
        planes = _Planes(source, _children(image, "Pixels"), own, pages)
        if not planes.count and others:
            left_out[number] = image.get("ID", "")
        elif planes.count and planes.part:
            block = planes.block()
            parts.append(planes.part)
            whole = whole and block is not None
            blocks |= {} if block is None else {number: block}
    identified = bool(named) or "UUID" in root.attrib
    if not whole:
        return Alone(None, parts, others, identified)
    if not identified and not parts:
        return Alone(xml)
    return Alone(changed(xml, Changes(blocks, left_out, identifiers=True)), parts, others, identified)


def open_alone(source: Path) -> tuple[TiffFile, Alone | None]:
    """Open a TIFF file without the others of its OME series, of which tifffile reads those absent as zeros.

    Parameters
    ----------
    source
        The file.

    Returns
    -------
    file, alone
        The open file, and what it holds of an OME series; None if it is of none.

    Raises
    ------
    ValueError
        If it is no TIFF file, or its OME-XML is broken.
    """
    file = TiffFile(source)
    try:
        xml = file.ome_metadata
        alone = stand_alone(source, xml, len(file.pages)) if xml else None
    except BaseException:
        file.close()
        raise
    if alone is None or alone.xml == xml:
        return file, alone
    file.close()
    return TiffFile(source, is_ome=False) if alone.xml is None else TiffFile(source, omexml=alone.xml), alone


def retyped(xml: str, dtype: str) -> str:
    """Return OME-XML of pixels of another type: float32 or float64."""
    return changed(xml, Changes(dtype=dtype))


def _parsed(source: Path, xml: str) -> Element:
    try:
        return fromstring(xml)
    except ParseError as error:
        raise ValueError(f"{source}: found OME-XML that does not parse ({error}), expected it whole") from error


def _companion(source: Path, name: str) -> str | None:
    """Return the text of the file beside this one that holds its XML; None if it is not there."""
    path = source.with_name(name) if name and Path(name).name == name else None
    if path is None or not path.is_file() or path.stat().st_size > MOST_XML:
        return None
    return path.read_text(encoding="utf-8", errors="replace")


def _name(node: Element) -> str:
    return node.tag.rpartition("}")[2]


def _children(node: Element, name: str) -> list[Element]:
    return [child for child in node if _name(child) == name]


def _own(source: Path, named: list[Element], identifier: str) -> set[str]:
    """Return the identifiers that are of this file: its own, else those with its name.

    One that names no second file is this one under its former name.
    """
    texts = {(node.text or "").strip() for node in named}
    if identifier in texts:
        return {identifier}
    if len(texts) == 1 and not identifier:
        return texts
    return {(node.text or "").strip() for node in named if node.get("FileName", "").lower() == source.name.lower()}


def _number(source: Path, node: Element, name: str, usual: int) -> int:
    text = node.get(name, "")
    if not text:
        return usual
    if not text.isdigit() or len(text) > 12:
        raise ValueError(f"{source}: found {name} {text[:20]!r} in its OME-XML, expected a whole number")
    return int(text)


class _Planes:
    """The planes of an image that a file holds.

    Attributes
    ----------
    count
        How many.
    part
        What they are of the image; empty if they are all of it.
    """

    def __init__(self, source: Path, pixels: list[Element], own: set[str], pages: int) -> None:
        self.source, self.count, self.part = source, 0, ""
        if not pixels:
            return
        node = pixels[0]
        order = node.get("DimensionOrder", "XYCZT")
        self.axes = [axis for axis in reversed(order if set("CZT") <= set(order) else "XYCZT") if axis in "CZT"]
        channels = _children(node, "Channel")
        self.samples = max(1, _number(source, channels[0], "SamplesPerPixel", 1)) if channels else 1
        told = {axis: _number(source, node, f"Size{axis}", 1) for axis in self.axes}
        told["C"] //= self.samples
        self.sizes = [max(1, told[axis]) for axis in self.axes]
        every = math.prod(self.sizes)
        found = {place: page for place, page in self._pages(node, own, pages) if place < every}
        self.pages = dict(sorted(found.items()))
        self.count = len(found)
        self.part = f"{self.count} of {every} planes" if self.count < every else ""

    def _pages(self, pixels: Element, own: set[str], pages: int) -> Iterator[tuple[int, int]]:
        """Yield the place of each plane in the order of planes, and its page."""
        for node in _children(pixels, "TiffData"):
            names = _children(node, "UUID")
            if names and (names[0].text or "").strip() not in own:
                continue
            page = _number(self.source, node, "IFD", 0)
            usual = 1 if "IFD" in node.attrib else pages
            count = _number(self.source, node, "PlaneCount", _number(self.source, node, "NumPlanes", usual))
            start = 0
            for axis, size in zip(self.axes, self.sizes, strict=True):
                start = start * size + _number(self.source, node, f"First{axis}", 0)
            yield from ((start + step, page + step) for step in range(min(count or usual, pages - page)))

    def block(self) -> Block | None:
        """Return the planes as a block; None if they are none, and add to ``part`` where it lies."""
        flat = self._whole()
        if not len(flat):
            return None
        places = np.unravel_index(flat, self.sizes)
        first = {axis: int(place.min()) for axis, place in zip(self.axes, places, strict=True)}
        size = {axis: int(place.max()) - first[axis] + 1 for axis, place in zip(self.axes, places, strict=True)}
        spans = [f"{axis} {first[axis]} to {first[axis] + size[axis] - 1}" for axis in self.axes if size[axis] > 1]
        self.part += f" ({', '.join(spans)})" if spans else ""
        at = [
            {axis: int(index) - first[axis] for axis, index in zip(self.axes, place, strict=True)}
            for place in zip(*places, strict=True)
        ]
        return Block(first, size, self.samples, list(zip(at, (self.pages[int(one)] for one in flat), strict=True)))

    def _whole(self) -> NDArray[np.intp]:
        """Return the places of the planes that make up a block: all, or those of the first moments that are whole."""
        flat = np.array(list(self.pages), np.intp)
        places = np.stack(np.unravel_index(flat, self.sizes))
        lengths = np.ptp(places, axis=1) + 1
        if math.prod(lengths.tolist()) == len(flat):
            return flat
        along = int(lengths.argmax())
        moments = places[along] - places[along].min()
        whole = np.bincount(moments) == math.prod(lengths.tolist()) // lengths[along]
        block: NDArray[np.intp] = flat[moments < (len(whole) if whole.all() else int(np.argmin(whole)))]
        return block
