"""Tags of TIFF pages that stay true in another file, and the directories that tags point to."""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tifffile import TiffFile, TiffPage

# Tags on the layout of pixels, or measured on them: the new file has its own.
_LAYOUT = frozenset(
    {254, 255, 256, 257, 258, 259, 262, 263, 266, 273, 277, 278, 279, 280, 281, 282, 283, 284, 288, 289, 292, 293, 296}
    | {317, 320, 322, 323, 324, 325, 330, 338, 339, 340, 341, 347, 512, 513, 514, 515, 517, 518, 519, 520, 521}
    | {529, 530, 531, 532, 32997, 32998}
)
_PER_VALUE = frozenset({301})  # with an entry for each integer: TransferFunction
# Tags that tell places in their own file, or hold its pixels a second time, by what they are called in a line.
_PLACES = {
    400: "global parameters",
    **dict.fromkeys((33424, 65024), "Kodak's directory"),
    33560: "Olympus' record",
    **dict.fromkeys((33628, 33629, 33630, 33631), "MetaMorph's tables"),
    **dict.fromkeys((34361, 34362, 34363, 34386), "FluoView's header"),
    34310: "Leaf's directory",
    34412: "the header of Zeiss LSM",
    37724: "the layers of Photoshop",
    43314: "the header of NIH Image",
    50933: "further camera profiles",
    **dict.fromkeys((65426, 65432, 65439), "Hamamatsu's tables"),
}
_EXIF, _GPS, _INTEROPERABILITY, _MAKER = 34665, 34853, 40965, 37500
DIRECTORIES = {_EXIF: "EXIF", _GPS: "GPS"}
_POINTERS = (_EXIF, _GPS, _INTEROPERABILITY)
# Records of cameras that count places from their own beginning; others count from that of the file.
_MOVABLE = (b"Nikon\0\2", b"OLYMPUS\0", b"OM SYSTEM\0", b"FUJIFILM", b"Apple iOS\0")
_LONG, _PLACE_TYPES = 4, (13, 18)  # of types 13 and 18 values are places in the file
_LONG8 = 16
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_RATIONALS = {5: "u4", 10: "i4"}  # types of two integers a value
_DEEPEST = 3  # directories within directories

# As `TiffWriter.write` takes them: code or name, type, count, value, whether only for the first page.
Told = tuple[int | str, int, int, Any, bool]


@dataclass(frozen=True)
class _Entry:
    """A tag of a directory: its value as it lies in the file, or the directory that it points to."""

    code: int
    dtype: int
    count: int
    value: "bytes | tuple[_Entry, ...]"


Directory = tuple[_Entry, ...]


def kept_tags(file: TiffFile, page: TiffPage, big: bool, retyped: bool = False) -> list[Told]:
    """Return the tags of a page that stay true, with their values as they lie in the file.

    Parameters
    ----------
    file, page
        The source.
    big
        Whether the new file is a BigTIFF: places in it then take 8 bytes.
    retyped
        Whether pixels will be of another type.
    """
    dropped = _LAYOUT | _PLACES.keys() | set(_POINTERS) | (_PER_VALUE if retyped else frozenset())
    told: list[Told] = []
    for code, dtype, count, value in _entries(file, page.offset):
        if code in dropped or dtype in _PLACE_TYPES or value is None:
            continue
        # Of bytes tifffile counts each integer of a rational as a value.
        numbers = np.frombuffer(value, file.byteorder + _RATIONALS[dtype]).tolist() if dtype in _RATIONALS else value
        told.append((code, dtype, count, numbers, False))
    for code in directories_of(file, page):
        # Its place is not known yet; under its number tifffile does not write it.
        told.append(({_EXIF: "ExifTag", _GPS: "GPSTag"}[code], _LONG8 if big else _LONG, 1, 0, False))
    return told


def lost_tags(file: TiffFile, page: TiffPage) -> list[str]:
    """Return what a page's tags hold that is not written, for a line."""
    lost = []
    entries = list(_entries(file, page.offset))
    places = dict.fromkeys(_PLACES[code] for code, *_ in entries if code in _PLACES)
    others = [entry for entry in entries if entry[0] not in _LAYOUT | _PLACES.keys() | set(_POINTERS)]
    places |= dict.fromkeys(f"tag {code}" for code, dtype, *_ in others if dtype in _PLACE_TYPES)
    if places:
        lost.append(f"{', '.join(places)} (valid only within that file)")
    if broken := [f"tag {code}" for code, dtype, _, value in others if value is None and dtype not in _PLACE_TYPES]:
        lost.append(f"{', '.join(broken)}, of which no value can be read")
    directories = directories_of(file, page)
    if broken := [DIRECTORIES[code] for code, *_ in entries if code in DIRECTORIES and code not in directories]:
        lost.append(f"its {' and '.join(broken)} data, which are broken")
    if not all(_movable(entry) for entry in directories.get(_EXIF, ())):
        lost.append("the camera's own record in its EXIF data (valid only within that file)")
    return lost


def directories_of(file: TiffFile, page: TiffPage) -> dict[int, Directory]:
    """Return the EXIF and GPS directories of a page, by the codes of their tags, without broken ones."""
    pointers = {code: value for code, _, _, value in _entries(file, page.offset) if code in DIRECTORIES}
    found = {code: _directory(file, _place(file, value)) for code, value in pointers.items()}
    return {code: directory for code, directory in found.items() if directory is not None}


def _entries(file: TiffFile, at: int) -> Iterator[tuple[int, int, int, bytes | None]]:
    """Yield code, type, count and value of each tag of a directory; no value where the file does not hold it.

    tifffile leaves out tags whose type it does not know, and takes short values of some codes for places.
    """
    handle, tiff = file.filehandle, file.tiff
    if not 0 < at <= handle.size - tiff.tagnosize:
        return
    handle.seek(at)
    (count,) = struct.unpack(tiff.tagnoformat, handle.read(tiff.tagnosize))
    start = at + tiff.tagnosize
    if start + count * tiff.tagsize > handle.size:
        return
    width = tiff.offsetsize
    handle.seek(start)
    table = handle.read(count * tiff.tagsize)
    for entry in range(0, len(table), tiff.tagsize):
        code, dtype, number = struct.unpack_from(f"{file.byteorder}HH{tiff.offsetformat[-1]}", table, entry)
        size = _SIZES.get(dtype, 0) * number
        value: bytes | None = table[entry + 4 + width : entry + 4 + width + size]
        if size > width:
            (place,) = struct.unpack_from(tiff.offsetformat, table, entry + 4 + width)
            handle.seek(min(place, handle.size))
            value = handle.read(size) if place + size <= handle.size else None
        yield code, dtype, number, value if dtype in _SIZES else None


def _place(file: TiffFile, value: bytes | None) -> int:
    """Return the place that a value tells; 0 for none."""
    if value is None or len(value) not in (4, 8):
        return 0
    return int(struct.unpack(f"{file.byteorder}{'I' if len(value) == 4 else 'Q'}", value)[0])


def _directory(file: TiffFile, at: int, depth: int = 1) -> Directory | None:
    """Return the tags of a directory; None if it is broken."""
    found = []
    for code, dtype, count, value in _entries(file, at):
        if code in _POINTERS:
            inside = _directory(file, _place(file, value), depth + 1) if depth < _DEEPEST else None
            if inside is not None:
                found.append(_Entry(code, _LONG, 1, inside))
        elif value is None:
            return None
        elif dtype not in _PLACE_TYPES:
            found.append(_Entry(code, dtype, count, value))
    return tuple(found) or None


def _movable(entry: _Entry) -> bool:
    """Return whether an entry keeps its meaning at another place."""
    return entry.code != _MAKER or (isinstance(entry.value, bytes) and entry.value.startswith(_MOVABLE))


def write_directories(made: Path, pages: Mapping[int, Mapping[int, Directory]]) -> None:
    """Append directories to a TIFF file, and make the tags of its pages point to them.

    Parameters
    ----------
    made
        The file, with the tags.
    pages
        Directories by the number of the page and the code of the tag.
    """
    with TiffFile(made) as file:
        order, big = file.byteorder, file.is_bigtiff
        places = {}
        for number, directories in pages.items():
            page = file.pages[number]
            assert isinstance(page, TiffPage)
            start = page.offset + file.tiff.tagnosize
            for step, (code, *_) in enumerate(_entries(file, page.offset)):
                if code in directories:
                    places[number, code] = start + (step + 1) * file.tiff.tagsize - file.tiff.offsetsize
    with made.open("r+b") as out:
        for (number, code), place in places.items():
            at = out.seek(0, 2)
            at += at % 2
            out.seek(at)
            out.write(_packed(pages[number][code], at, order, big))
            out.seek(place)
            out.write(struct.pack(f"{order}{'Q' if big else 'I'}", at))


def _packed(entries: Sequence[_Entry], at: int, order: str, big: bool) -> bytes:
    """Return a directory as it lies at a place in a file."""
    width, letter = (8, "Q") if big else (4, "I")
    kept = [entry for entry in entries if _movable(entry)]
    head = struct.pack(f"{order}{'Q' if big else 'H'}", len(kept))
    free = at + len(head) + len(kept) * (4 + 2 * width) + width
    body = b""
    for entry in kept:
        dtype = entry.dtype
        if isinstance(entry.value, tuple):
            dtype = _LONG8 if big else _LONG
            value = struct.pack(f"{order}{letter}", free + len(body))
            body += _even(_packed(entry.value, free + len(body), order, big))
        elif len(entry.value) > width:
            value = struct.pack(f"{order}{letter}", free + len(body))
            body += _even(entry.value)
        else:
            value = entry.value
        head += struct.pack(f"{order}HH{letter}{width}s", entry.code, dtype, entry.count, value)
    return head + bytes(width) + body


def _even(data: bytes) -> bytes:
    return data + bytes(len(data) % 2)
