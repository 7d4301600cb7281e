"""Where a file keeps its numbers and its parts, so that a mutation reaches further than the first check."""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Literal

Order = Literal["big", "little"]


@dataclass
class Places:
    """What a file of some format is made of.

    Attributes
    ----------
    fields
        Numbers of its headers: start, size in bytes, byte order.
    parts
        Chunks, segments, boxes, directories or strips: start and end.
    """

    fields: list[tuple[int, int, Order]] = field(default_factory=list)
    parts: list[tuple[int, int]] = field(default_factory=list)

    def words(self, start: int, stop: int, size: int, order: Order) -> None:
        """Note every word of a range as a number."""
        self.fields += [(at, size, order) for at in range(start, stop - size + 1, size)]


def _png(data: bytes) -> Places:
    found, at = Places(), 8
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        end = min(at + 12 + length, len(data))
        found.parts.append((at, end))
        found.fields.append((at, 4, "big"))
        if name == b"IHDR":
            found.fields += [(at + 8, 4, "big"), (at + 12, 4, "big"), *((at + 16 + one, 1, "big") for one in range(5))]
        elif name != b"IDAT":
            found.words(at + 8, min(end - 4, at + 72), 2, "big")
        at = end
    return found


def _jpeg(data: bytes) -> Places:
    found, at = Places(), 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        end = min(at + 2 + length, len(data))
        found.parts.append((at, end))
        found.fields.append((at + 2, 2, "big"))
        found.words(at + 4, min(end, at + 24), 1 if 0xC0 <= marker <= 0xDF else 2, "big")
        if marker == 0xDA:  # entropy-coded data follow until the next marker
            stop = data.find(b"\xff\xd9", end)
            found.parts.append((end, len(data) if stop < 0 else stop))
            break
        at = end
    return found


def _riff(data: bytes) -> Places:
    found = Places([(4, 4, "little")])

    def walk(at: int, end: int) -> None:
        while at + 8 <= end:
            name, size = struct.unpack_from("<4sI", data, at)
            stop = min(at + 8 + size, end)
            found.parts.append((at, stop))
            found.fields.append((at + 4, 4, "little"))
            if name in (b"LIST", b"RIFF"):
                walk(at + 12, stop)
            else:
                found.words(at + 8, min(stop, at + 72), 4, "little")
            at = stop + size % 2

    walk(12, len(data))
    return found


def _bmp(data: bytes) -> Places:
    found = Places(parts=[(0, 14), (14, 54), (54, len(data))])
    found.words(2, 54, 4, "little")
    found.words(26, 30, 2, "little")
    return found


def _tiff(data: bytes) -> Places:
    order: Order = "little" if data[:2] == b"II" else "big"
    sign = "<" if order == "little" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    wide, entry, count_format, value_format = (8, 20, "Q", "Q") if big else (4, 12, "H", "I")
    head = 8 if big else 4
    found, seen = Places([(head, wide, order)]), set[int]()
    todo = [struct.unpack_from(sign + value_format, data, head)[0]]
    while todo:
        at = todo.pop()
        if at in seen or not 0 < at < len(data) - 2:
            continue
        seen.add(at)
        step = struct.calcsize(count_format)
        (count,) = struct.unpack_from(sign + count_format, data, at)
        first = at + step
        if count > 200 or first + count * entry + wide > len(data):
            continue
        found.fields.append((at, step, order))
        for place in range(first, first + count * entry, entry):
            found.fields += [(place, 2, order), (place + 2, 2, order), (place + 4, wide, order)]
            found.fields.append((place + 4 + wide, wide, order))
            tag, _ = struct.unpack_from(sign + "HH", data, place)
            if tag in (330, 34665):
                todo.append(struct.unpack_from(sign + value_format, data, place + 4 + wide)[0])
        end = first + count * entry
        found.fields.append((end, wide, order))
        found.parts.append((at, end + wide))
        todo.append(struct.unpack_from(sign + value_format, data, end)[0])
    found.parts += [(at, min(at + 256, len(data))) for at in range(8, len(data), 256)]
    return found


_BOXES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"dinf", b"udta")


def _mp4(data: bytes) -> Places:
    found = Places()

    def walk(at: int, end: int) -> None:
        while at + 8 <= end:
            size, name = struct.unpack_from(">I4s", data, at)
            stop = min(at + max(size, 8), end)
            found.parts.append((at, stop))
            found.fields.append((at, 4, "big"))
            if name in _BOXES:
                walk(at + 8, stop)
            elif name != b"mdat":
                found.words(at + 8, min(stop, at + 160), 4, "big")
                found.words(at + 8, min(stop, at + 60), 2, "big")
            at = stop

    walk(0, len(data))
    return found


_MASTERS = (0x18538067, 0x1549A966, 0x1654AE6B, 0xAE, 0xE0, 0x1F43B675, 0xA0, 0x1C53BB6B, 0xBB, 0x114D9B74, 0x55B0)


def _ebml(data: bytes) -> Places:
    found = Places()

    def length(at: int, keep: bool) -> tuple[int, int]:
        size = 9 - data[at].bit_length() if data[at] else 8
        value = int.from_bytes(data[at : at + size], "big")
        return value if keep else value & ((1 << (7 * size)) - 1), size

    def walk(at: int, end: int) -> None:
        while at + 2 <= end:
            name, wide = length(at, keep=True)
            if at + wide >= end:
                return
            size, narrow = length(at + wide, keep=False)
            first = at + wide + narrow
            stop = min(first + size, end)
            found.parts.append((at, stop))
            found.fields += [(at + wide, narrow, "big"), (at, wide, "big")]
            if name in _MASTERS:
                walk(first, stop)
            elif stop - first in (1, 2, 4, 8):
                found.fields.append((first, stop - first, "big"))
            at = stop

    walk(0, len(data))
    return found


def _safetensors(data: bytes) -> Places:
    size = int.from_bytes(data[:8], "little")
    return Places([(0, 8, "little")], [(0, 8), (8, 8 + size), (8 + size, len(data))])


def _npy(data: bytes) -> Places:
    found = Places([(6, 1, "little"), (7, 1, "little"), (8, 2, "little")], [(0, 10), (10, 128), (128, len(data))])
    found.words(10, min(128, len(data)), 1, "little")
    return found


def _zip(data: bytes) -> Places:
    found = Places()
    for name in (b"PK\3\4", b"PK\1\2", b"PK\5\6"):
        at = data.find(name)
        while at >= 0:
            found.parts.append((at, min(at + 64, len(data))))
            found.words(at + 4, min(at + 46, len(data)), 2, "little")
            at = data.find(name, at + 4)
    return found


def _lines(data: bytes) -> Places:
    found, at = Places(), 0
    for line in data[: 2**16].splitlines(keepends=True):
        found.parts.append((at, at + len(line)))
        at += len(line)
    return found


WALKERS: dict[str, Callable[[bytes], Places]] = {
    ".avi": _riff,
    ".bmp": _bmp,
    ".jpg": _jpeg,
    ".json": _lines,
    ".mkv": _ebml,
    ".mp4": _mp4,
    ".npy": _npy,
    ".npz": _zip,
    ".png": _png,
    ".safetensors": _safetensors,
    ".tif": _tiff,
    ".webm": _ebml,
    ".webp": _riff,
    ".y4m": _lines,
}


def places_of(suffix: str, data: bytes) -> Places:
    """Return what a whole file of a format is made of; of any other, blocks of 64 bytes."""
    walker = WALKERS.get(suffix)
    if walker is not None:
        return walker(data)
    return Places(parts=list(_blocks(len(data))))


def _blocks(size: int) -> Iterator[tuple[int, int]]:
    return ((at, min(at + 64, size)) for at in range(0, size, 64))
