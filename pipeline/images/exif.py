"""EXIF data without the thumbnail, which shows the picture as it was."""

import struct

NAME = b"Exif\0\0"  # before the data in a JPEG's segment
_ENTRY = 12
_AT, _LENGTH = 513, 514  # JPEGInterchangeFormat and its length


def without_thumbnail(exif: bytes) -> tuple[bytes, bool]:
    """Return EXIF data without their thumbnail, and whether they had one.

    No other byte changes place, so that records of cameras, which count places, stay valid. The thumbnail is cut off
    where it lies at the end, as cameras write it, and blanked elsewhere.

    Parameters
    ----------
    exif
        With or without the name that stands before them in a JPEG. Broken data come back as they are.
    """
    start = len(NAME) if exif.startswith(NAME) else 0
    data = bytearray(exif[start:])
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 8:
        return exif, False
    (first,) = struct.unpack_from(f"{order}I", data, 4)
    next_at = _end(data, first, order)
    if next_at is None:
        return exif, False
    (second,) = struct.unpack_from(f"{order}I", data, next_at)
    if not second:
        return exif, False
    end = _end(data, second, order)
    struct.pack_into(f"{order}I", data, next_at, 0)
    if end is not None:
        tags = {}
        for at in range(second + 2, end, _ENTRY):
            code, _, _, value = struct.unpack_from(f"{order}HHII", data, at)
            tags[code] = value
        at, length = tags.get(_AT, 0), tags.get(_LENGTH, 0)
        if 0 < at < at + length == len(data):
            del data[at:]
        elif 0 < at < at + length < len(data):
            data[at : at + length] = bytes(length)
    return exif[:start] + bytes(data), True


def _end(data: bytearray, at: int, order: str) -> int | None:
    """Return where a directory tells the place of the next one; None if it is broken."""
    if not 8 <= at <= len(data) - 2:
        return None
    (count,) = struct.unpack_from(f"{order}H", data, at)
    end = int(at + 2 + count * _ENTRY)
    return end if end + 4 <= len(data) else None
