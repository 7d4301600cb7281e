"""What an OME-TIFF file holds by itself: its XML may describe files beside it, and planes that are in none of them."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.dom import minidom
from xml.parsers.expat import ExpatError

import numpy as np
from numpy.typing import NDArray
from tifffile import TiffFile

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
    def apart(self) -> str | None:
        """Return what a line says of a file that is a part of more; None if it is the whole."""
        if not self.parts and not self.files and self.xml is not None:
            return None
        held = ", ".join(self.parts) or "a part"
        beside = (
            f" (the rest: {', '.join(self.files[:3])}{', ...' if len(self.files) > 3 else ''})" if self.files else ""
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
    document = _parsed(source, xml)
    only = _children(document.documentElement, "BinaryOnly")
    identifier = (only[0] if only else document.documentElement).getAttribute("UUID")
    if only:
        name = only[0].getAttribute("MetadataFile")
        told = _companion(source, name)
        if told is None:
            return Alone(None, files=[name or "not named"], identified=True)
        xml, document = told, _parsed(source, told)
    root = document.documentElement
    named = list(document.getElementsByTagNameNS("*", "UUID"))
    own = _own(source, named, identifier)
    others = {node.getAttribute("FileName") for node in named if node not in own}
    parts, whole = [], True
    for image in _children(root, "Image"):
        for pixels in _children(image, "Pixels"):
            planes = _Planes(source, pixels, own, pages)
            if planes.count:
                whole = planes.restrict() and whole
                parts += [planes.part] if planes.part else []
            elif others:
                _remove_image(document, image)
    identified = bool(named) or root.hasAttribute("UUID")
    if not identified and not parts:
        return Alone(xml)
    for node in named:
        node.parentNode.removeChild(node)
    if root.hasAttribute("UUID"):
        root.removeAttribute("UUID")
    return Alone(document.toxml(encoding="UTF-8").decode() if whole else None, parts, sorted(others - {""}), identified)


def open_alone(source: Path) -> tuple[TiffFile, list[str]]:
    """Open a TIFF file without the others of its OME series, of which tifffile reads those absent as zeros.

    Parameters
    ----------
    source
        The file.

    Returns
    -------
    file, said
        The open file, and what to know about it.

    Raises
    ------
    ValueError
        If it is no TIFF file, or its OME-XML is broken.
    """
    file = TiffFile(source)
    try:
        xml = file.ome_metadata
        alone = stand_alone(source, xml, len(file.pages)) if xml else Alone(None)
    except BaseException:
        file.close()
        raise
    if not xml or alone.xml == xml:
        return file, []
    file.close()
    said = [alone.apart] if alone.apart else []
    if alone.xml is None:
        return TiffFile(source, is_ome=False), [*said, "not read: its OME-XML, so that its axes are not known"]
    if alone.identified:
        said.append("not written: the identifiers (UUID) in its OME-XML, which are of that file")
    return TiffFile(source, omexml=alone.xml), said


def retyped(xml: str, dtype: str) -> str:
    """Return OME-XML of pixels of another type: float32 or float64."""
    document = minidom.parseString(xml.encode())
    for pixels in document.getElementsByTagNameNS("*", "Pixels"):
        pixels.setAttribute("Type", {"float32": "float", "float64": "double"}[dtype])
        if pixels.hasAttribute("SignificantBits"):
            pixels.removeAttribute("SignificantBits")
    return document.toxml(encoding="UTF-8").decode()


def _parsed(source: Path, xml: str) -> Any:
    try:
        return minidom.parseString(xml.encode())
    except (ExpatError, ValueError) as error:
        text = " ".join(str(error).split())
        raise ValueError(f"{source}: found OME-XML that does not parse ({text}), expected it whole") from error


def _companion(source: Path, name: str) -> str | None:
    """Return the text of the file beside this one that holds its XML; None if it is not there."""
    path = source.with_name(name) if name and Path(name).name == name else None
    if path is None or not path.is_file() or path.stat().st_size > MOST_XML:
        return None
    return path.read_text(encoding="utf-8", errors="replace")


def _children(node: Any, name: str) -> list[Any]:
    return [child for child in node.childNodes if child.nodeType == child.ELEMENT_NODE and child.localName == name]


def _own(source: Path, named: list[Any], identifier: str) -> list[Any]:
    """Return the elements that name this file: by its identifier, else by its name.

    One that names no second file is this one under its former name.
    """
    texts = {_text(node) for node in named}
    if identifier in texts:
        return [node for node in named if _text(node) == identifier]
    if len(texts) == 1 and not identifier:
        return named
    return [node for node in named if node.getAttribute("FileName").lower() == source.name.lower()]


def _text(node: Any) -> str:
    return "".join(child.data for child in node.childNodes if child.nodeType == child.TEXT_NODE).strip()


def _number(source: Path, node: Any, name: str, usual: int) -> int:
    text = node.getAttribute(name)
    if not text:
        return usual
    if not text.isdigit() or len(text) > 12:
        raise ValueError(f"{source}: found {name} {text[:20]!r} in its OME-XML, expected a whole number")
    return int(text)


def _remove_image(document: Any, image: Any) -> None:
    """Remove an image and what refers to it."""
    identity = image.getAttribute("ID")
    for node in list(document.getElementsByTagNameNS("*", "ImageRef")):
        if node.getAttribute("ID") == identity:
            node.parentNode.removeChild(node)
    image.parentNode.removeChild(image)


class _Planes:
    """The planes of an image that a file holds.

    Attributes
    ----------
    count
        How many.
    part
        What they are of the image; empty if they are all of it.
    """

    def __init__(self, source: Path, pixels: Any, own: list[Any], pages: int) -> None:
        self.source, self.pixels = source, pixels
        self.axes = [axis for axis in reversed(pixels.getAttribute("DimensionOrder") or "XYCZT") if axis in "CZT"]
        samples = [_number(source, one, "SamplesPerPixel", 1) for one in _children(pixels, "Channel")]
        self.samples = max(1, *samples[:1]) if samples else 1
        told = {axis: _number(source, pixels, f"Size{axis}", 1) for axis in self.axes}
        told["C"] = told.get("C", 1) // self.samples
        self.sizes = [max(1, told[axis]) for axis in self.axes]
        every = math.prod(self.sizes)
        found = {place: page for place, page in self._pages(own, pages) if place < every}
        self.pages = dict(sorted(found.items()))
        self.count = len(found)
        self.part = f"{self.count} of {every} planes" if self.count < every else ""

    def _pages(self, own: list[Any], pages: int) -> Iterator[tuple[int, int]]:
        """Yield the place of each plane in the order of planes, and its page."""
        for node in _children(self.pixels, "TiffData"):
            names = _children(node, "UUID")
            if names and names[0] not in own:
                continue
            page = _number(self.source, node, "IFD", 0)
            usual = 1 if node.hasAttribute("IFD") else pages
            count = _number(self.source, node, "PlaneCount", _number(self.source, node, "NumPlanes", usual))
            firsts = [_number(self.source, node, f"First{axis}", 0) for axis in self.axes]
            start = 0
            for first, size in zip(firsts, self.sizes, strict=True):
                start = start * size + first
            yield from ((start + step, page + step) for step in range(min(count or usual, pages - page)))

    def _whole(self) -> NDArray[np.intp]:
        """Return the places of the planes that make up a block: all, or those of the first moments that are whole."""
        flat = np.array(list(self.pages), np.intp)
        places = np.stack(np.unravel_index(flat, self.sizes))
        lengths = np.ptp(places, axis=1) + 1
        if math.prod(lengths.tolist()) == len(flat):
            return flat
        along = int(lengths.argmax())
        each = np.bincount(places[along] - places[along].min())
        whole = each == math.prod(lengths.tolist()) // lengths[along]
        moments = len(whole) if whole.all() else int(np.argmin(whole))
        block: NDArray[np.intp] = flat[places[along] - places[along].min() < moments]
        return block

    def restrict(self) -> bool:
        """Make the XML say that the image is what the file holds; return False if that is no block of planes."""
        if not self.part:
            return True
        block = self._whole()
        places = np.unravel_index(block, self.sizes)
        if not len(block):
            return False
        first = {axis: int(place.min()) for axis, place in zip(self.axes, places, strict=True)}
        size = {axis: int(place.max()) - first[axis] + 1 for axis, place in zip(self.axes, places, strict=True)}
        spans = [f"{axis} {first[axis]} to {first[axis] + size[axis] - 1}" for axis in self.axes if size[axis] > 1]
        self.part += f" ({', '.join(spans)})" if spans else ""
        for axis in self.axes:
            self.pixels.setAttribute(f"Size{axis}", str(size[axis] * (self.samples if axis == "C" else 1)))
        channels = _children(self.pixels, "Channel")
        for channel in [*channels[: first["C"]], *channels[first["C"] + size["C"] :]]:
            self.pixels.removeChild(channel)
        for plane in _children(self.pixels, "Plane"):
            at = {axis: _number(self.source, plane, f"The{axis}", 0) - first[axis] for axis in self.axes}
            for axis in self.axes:
                plane.setAttribute(f"The{axis}", str(at[axis]))
            if not all(0 <= at[axis] < size[axis] for axis in self.axes):
                self.pixels.removeChild(plane)
        model, *others = _children(self.pixels, "TiffData")
        for flat, *place in zip(block, *places, strict=True):
            node = self.pixels.ownerDocument.createElementNS(model.namespaceURI, model.tagName)
            told = {f"First{axis}": int(at) - first[axis] for axis, at in zip(self.axes, place, strict=True)}
            for name, value in {**told, "IFD": self.pages[int(flat)], "PlaneCount": 1}.items():
                node.setAttribute(name, str(value))
            self.pixels.insertBefore(node, model)
        for node in (model, *others):
            self.pixels.removeChild(node)
        return True
