"""Hostile bytes: what a seed file becomes, the same for the same generator."""

import json
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tests.bytes.places import Order, Places, places_of

Draw = np.random.Generator
Change = Callable[[bytes, Places, Draw, Sequence[bytes]], bytes]

# Values that headers are least ready for, as parts of a range of 2^bits; and small ones.
_EDGES = (0, 1, 2, 3, 4, 5, 7, 8, 16, 255, 256, 32767, 65535)


def mutate(data: bytes, suffix: str, draw: Draw, others: Sequence[bytes] = ()) -> bytes:
    """Return a file with one to three changes.

    Parameters
    ----------
    data
        A whole file.
    suffix
        Its format.
    draw
        Decides everything.
    others
        Files of the same kind, of which parts are taken.
    """
    for _ in range(int(draw.choice([1, 1, 1, 2, 3]))):
        if len(data) < 16:
            break
        places = places_of(suffix, data) if _whole(data, suffix) else Places()
        change: Change = _pick(draw, _CHANGES)
        data = change(data, places, draw, others)
    return _with_sums(data) if suffix == ".png" and draw.random() < 0.6 else data


def _pick(draw: Draw, members: Sequence[Any]) -> Any:
    return members[int(draw.integers(len(members)))]


def _whole(data: bytes, suffix: str) -> bool:
    """Whether what was mutated before can still be walked through."""
    try:
        places_of(suffix, data)
    except (struct.error, IndexError, RecursionError, OverflowError):
        return False
    return True


def _number(data: bytes, places: Places, draw: Draw, others: Sequence[bytes]) -> bytes:
    if not places.fields:
        return _bits(data, places, draw, others)
    field: tuple[int, int, Order] = _pick(draw, places.fields)
    at, size, order = field
    now = int.from_bytes(data[at : at + size], order)
    most: int = 256**size
    kinds = (
        *(now + step for step in (-1, 1, -2, 2)),
        *(now * 2, now // 2, now * 16, most - 1, most // 2, most // 2 - 1, most // 4),
        *(len(data), len(data) - 1, len(data) + 1, now ^ 1 << int(draw.integers(8 * size)), int(draw.integers(2**31))),
        *_EDGES,
    )
    value = int(_pick(draw, kinds)) % most
    return data[:at] + value.to_bytes(size, order) + data[at + size :]


def _bits(data: bytes, places: Places, draw: Draw, others: Sequence[bytes]) -> bytes:
    changed = bytearray(data)
    # Half of the flips fall into the first bytes, where the heads are.
    end = len(data) if draw.random() < 0.5 else min(len(data), 200)
    for _ in range(int(draw.integers(1, 5))):
        changed[int(draw.integers(end))] ^= 1 << int(draw.integers(8))
    return bytes(changed)


def _cut(data: bytes, places: Places, draw: Draw, others: Sequence[bytes]) -> bytes:
    if places.parts and draw.random() < 0.5:
        return data[: max(1, int(_pick(draw, [end for part in places.parts for end in part])))]
    return data[: int(draw.integers(1, len(data)))]


def _grow(data: bytes, places: Places, draw: Draw, others: Sequence[bytes]) -> bytes:
    more: bytes = _pick(draw, [bytes(1), bytes(4096), draw.bytes(300), data, data[: len(data) // 2], *others[:2]])
    return data + more


def _insert(data: bytes, places: Places, draw: Draw, others: Sequence[bytes]) -> bytes:
    at = int(draw.integers(len(data)))
    return data[:at] + draw.bytes(int(draw.integers(1, 20))) + data[at:]


def _zero(data: bytes, places: Places, draw: Draw, others: Sequence[bytes]) -> bytes:
    at = int(draw.integers(len(data)))
    end = min(len(data), at + int(draw.choice([4, 64, 1024])))
    return data[:at] + bytes(end - at) + data[end:]


def _drop(data: bytes, places: Places, draw: Draw, others: Sequence[bytes]) -> bytes:
    if not places.parts:
        return _cut(data, places, draw, others)
    at, end = _pick(draw, places.parts)
    return data[:at] + data[end:]


def _double(data: bytes, places: Places, draw: Draw, others: Sequence[bytes]) -> bytes:
    """Repeat a part, or put the whole file into itself behind it."""
    if not places.parts:
        return _grow(data, places, draw, others)
    at, end = _pick(draw, places.parts)
    return data[:end] + (data if draw.random() < 0.2 else data[at:end]) + data[end:]


def _swap(data: bytes, places: Places, draw: Draw, others: Sequence[bytes]) -> bytes:
    if len(places.parts) < 2:
        return _insert(data, places, draw, others)
    (a, b), (c, d) = sorted(_pick(draw, places.parts) for _ in range(2))
    return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:] if b <= c else _drop(data, places, draw, others)


def _splice(data: bytes, places: Places, draw: Draw, others: Sequence[bytes]) -> bytes:
    """Put the head or the middle of another file in place of one's own."""
    other: bytes = _pick(draw, others) if others else data[::-1]
    if draw.random() < 0.5 or not places.parts:
        at = int(draw.integers(min(len(data), len(other))))
        return data[:at] + other[at:]
    at, end = _pick(draw, places.parts)
    return data[:at] + other[at:end] + data[end:]


_CHANGES: tuple[Change, ...] = (
    *(_number, _number, _number, _number, _bits, _bits, _cut, _cut, _grow),
    *(_insert, _zero, _drop, _drop, _double, _swap, _splice),
)


def _with_sums(data: bytes) -> bytes:
    """Return a PNG file whose chunks have the right checksum, so that what was changed is read."""
    at, made = 8, bytearray(data)
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        end = at + 12 + length
        if end > len(data):
            break
        struct.pack_into(">I", made, end - 4, zlib.crc32(data[at + 4 : end - 4]))
        at = end
    return bytes(made)


_ODD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        -1,
        0,
        1,
        2,
        3,
        1e308,
        -0.5,
        2**31,
        2**63,
        2**70,
        float("nan"),
        float("inf"),
        "",
        "\0",
        "x" * 999,
    ),
    *(
        "../../escaped",
        "/etc/passwd",
        "\u03a9 \u20ac",
        "\ud800",
        [],
        {},
        [[]],
        [1],
        [0, 0],
        [1, 2, 3],
        {"a": 1},
        "uint8",
        "1",
    ),
)


def mutate_json(text: bytes, draw: Draw) -> bytes:
    """Return JSON with another value, name or number of values somewhere; or hardly JSON any more."""
    if draw.random() < 0.15:
        return mutate(text, ".json", draw)
    try:
        tree, deep = json.loads(text), False
    except ValueError:  # with a checksum behind it
        return mutate(text, ".json", draw)
    for _ in range(int(draw.choice([1, 1, 2, 3]))):
        holders = [] if deep else [one for one in _nodes(tree) if one]
        if not holders:
            break
        holder = _pick(draw, holders)
        keys: list[Any] = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        key = _pick(draw, keys)
        kind = draw.random()
        if kind < 0.2:
            del holder[key]
        elif kind < 0.35 and isinstance(holder[key], int):
            holder[key] = _pick(draw, [holder[key] + 1, holder[key] - 1, holder[key] * 2, -holder[key], 2**40])
        elif kind < 0.4 and isinstance(holder, dict):
            holder[str(_pick(draw, ["", "x", "../x", "0"]))] = holder[key]
        elif kind < 0.45:
            holder[key], deep = nested(int(_pick(draw, [10, 100, 300]))), True
        else:
            holder[key] = _pick(draw, _ODD)
    made = json.dumps(tree).encode("utf-8", "surrogatepass")
    if draw.random() < 0.05:
        made = made.replace(b"null", b"[" * 20000 + b"]" * 20000, 1)
    return made


def nested(depth: int) -> Any:
    """Return lists one in another."""
    tree: Any = []
    for _ in range(depth):
        tree = [tree]
    return tree


def _nodes(tree: Any) -> list[Any]:
    if not isinstance(tree, (dict, list)):
        return []
    members = tree.values() if isinstance(tree, dict) else tree
    return [tree, *(node for member in members for node in _nodes(member))]


_SCALARS = (
    *(
        "null",
        "true",
        "-1",
        "0",
        ".nan",
        ".inf",
        "-.inf",
        "1e999",
        "9" * 40,
        "0x10",
        "1_0",
        "''",
        "[]",
        "{}",
        "~",
        "2026-01-01",
    ),
    *(
        "!!python/object/apply:os.system ['touch pwned']",
        "!!python/name:os.system",
        "!!binary aGVsbG8=",
        "!!set {a, b}",
    ),
    *(
        "*unknown",
        "&a [*a]",
        "&a {b: *a}",
        "!unknown x",
        "'unclosed",
        "[" * 3000,
        "{a: " * 3000,
        "? x",
        "- - -",
        "| x",
        "1:30",
    ),
    *(
        "'" + "x" * 10**6 + "'",
        "../../escaped",
        "\u03a9",
        "!!float x",
        "!!int x",
        "!!int ''",
        "!!float ''",
        "!!timestamp x",
    ),
    *(
        "!!omap [a]",
        "!!pairs [a]",
        "!!null x",
        "!!bool x",
        "0b",
        "0o9",
        "-0x",
        "1e",
        "!!timestamp 2026-99-99",
        "2026-99-99",
    ),
)


def mutate_yaml(text: bytes, draw: Draw) -> bytes:
    """Return YAML with a value that is none, a doubled, lost or moved line; a bomb of aliases; or broken bytes."""
    kind = draw.random()
    if kind < 0.1:
        return mutate(text, ".yaml", draw)
    lines = text.decode().splitlines()
    if kind < 0.14:
        return "\n".join([*_bomb(int(_pick(draw, [5, 9, 30]))), *lines]).encode()
    for _ in range(int(draw.choice([1, 1, 2]))):
        at = int(draw.integers(len(lines)))
        head, colon, _ = lines[at].partition(":")
        change = draw.random()
        if change < 0.6 and colon:
            lines[at] = f"{head}: {_pick(draw, _SCALARS)}"
        elif change < 0.7:
            lines.insert(at, lines[at])
        elif change < 0.8:
            del lines[at]
        elif change < 0.9:
            lines[at] = _pick(draw, ["\t", "  ", " "]) + lines[at]
        else:
            lines.insert(
                at,
                _pick(
                    draw, ["<<: *a", "%YAML 9.9", "---", "...", "\0", "\ufeff", "? [a, b]", "1: 2", "null: 1", "[a]: 1"]
                ),
            )
    return "\n".join(lines).encode()


def _bomb(levels: int) -> list[str]:
    head = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    return head + [f"a{one}: &a{one} [{', '.join([f'*a{one - 1}'] * 9)}]" for one in range(1, levels)]
