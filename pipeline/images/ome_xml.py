"""OME-XML written again with what has changed, and all else as it was."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from xml.etree.ElementTree import C14NWriterTarget, ParseError, XMLParser

_HEAD = '<?xml version="1.0" encoding="UTF-8"?>'
_TYPES = {"float32": "float", "float64": "double"}


@dataclass(frozen=True)
class Block:
    """A block of an image's planes that shall be the whole image.

    Attributes
    ----------
    first
        Of each axis C, Z, T, the place in the image at which the block begins.
    size
        Its length along each.
    samples
        Samples of a pixel, which OME counts as channels.
    planes
        For each plane of the block: its place within it by axis, and its page.
    """

    first: Mapping[str, int]
    size: Mapping[str, int]
    samples: int
    planes: Sequence[tuple[Mapping[str, int], int]]


@dataclass(frozen=True)
class Changes:
    """What is written otherwise.

    Attributes
    ----------
    blocks
        By the number of the image, from 0.
    left_out
        Numbers of images, and their identities, that are left out, with references to them.
    identifiers
        Whether identifiers of files are left out.
    dtype
        New type of all pixels, float32 or float64; None to keep it.
    """

    blocks: Mapping[int, Block] = field(default_factory=dict)
    left_out: Mapping[int, str] = field(default_factory=dict)
    identifiers: bool = False
    dtype: str | None = None


def changed(xml: str, changes: Changes) -> str:
    """Return OME-XML with changes. Prefixes, other schemas' elements and comments stay as they are."""
    parts = [_HEAD]
    parser = XMLParser(target=_Writer(parts.append, changes))
    try:
        parser.feed(xml)
        parser.close()
    except ParseError as error:
        raise ValueError(f"OME-XML that does not parse ({error})") from error
    return "".join(parts)


class _Writer(C14NWriterTarget):
    """Writes what a parser reads, element by element."""

    def __init__(self, write: Callable[[str], object], changes: Changes) -> None:
        super().__init__(write, with_comments=True)
        self.changes = changes
        self.skipped = 0  # elements, one within the other, that are left out
        self.image = -1
        self.channel = 0
        self.told = False  # whether the pages of this image were

    def start(self, tag: str, attrs: Mapping[str, str]) -> None:
        """Write the start of an element."""
        name = tag.rpartition("}")[2]
        if not self.skipped and name == "Image":
            self.image, self.channel, self.told = self.image + 1, 0, False
        block = None if self.skipped else self.changes.blocks.get(self.image)
        edited = None if self.skipped else self._edited(name, dict(attrs), block)
        if edited is not None:
            super().start(tag, edited)
            return
        if name == "TiffData" and block is not None and not self.told:
            self.told = True
            for place, page in block.planes:
                told = {f"First{axis}": str(at) for axis, at in place.items()}
                super().start(tag, {**told, "IFD": str(page), "PlaneCount": "1"})
                super().end(tag)
        self.skipped += 1

    def _edited(self, name: str, attrs: dict[str, str], block: Block | None) -> dict[str, str] | None:
        """Return the attributes of an element; None if it is left out."""
        changes = self.changes
        if name == "UUID" and changes.identifiers:
            return None
        if name == "OME" and changes.identifiers:
            attrs.pop("UUID", None)
        elif name == "Image" and self.image in changes.left_out:
            return None
        elif name == "ImageRef" and attrs.get("ID") in changes.left_out.values():
            return None
        elif name == "Pixels" and changes.dtype is not None:
            attrs["Type"] = _TYPES[changes.dtype]
            attrs.pop("SignificantBits", None)
        return attrs if block is None else self._within(name, attrs, block)

    def _within(self, name: str, attrs: dict[str, str], block: Block) -> dict[str, str] | None:
        """Return the attributes of an element of an image that is now a block of planes; None if it is left out."""
        if name == "TiffData":
            return None
        if name == "Pixels":
            attrs |= {f"Size{axis}": str(size) for axis, size in block.size.items()}
            attrs["SizeC"] = str(block.size["C"] * block.samples)
        elif name == "Channel":
            self.channel += 1
            if not 0 <= self.channel - 1 - block.first["C"] < block.size["C"]:
                return None
        elif name == "Plane":
            for axis, first in block.first.items():
                text = attrs.get(f"The{axis}", "0")
                at = int(text) - first if text.isdigit() else -1
                if not 0 <= at < block.size[axis]:
                    return None
                attrs[f"The{axis}"] = str(at)
        return attrs

    def end(self, tag: str) -> None:
        """Write the end of an element."""
        if self.skipped:
            self.skipped -= 1
        else:
            super().end(tag)

    def data(self, data: str) -> None:
        """Write text."""
        if not self.skipped:
            super().data(data)

    def comment(self, data: str) -> None:
        """Write a comment."""
        if not self.skipped:
            super().comment(data)
