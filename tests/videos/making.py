"""Videos in miniature."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Options = Mapping[str, str] | None
SIZE = (48, 64)  # height, width


def texture(count: int, seed: int = 0, size: tuple[int, int] = SIZE) -> list[NDArray[np.uint8]]:
    """Return frames of a texture that moves by (2, 1) px each, ``(H, W, 3)``."""
    height, width = size
    draw = np.random.default_rng(seed).random((height + count, width + 2 * count, 3), dtype=np.float32)
    picture = cv2.GaussianBlur(draw, (0, 0), 2.0)
    picture = (picture - picture.min()) / np.ptp(picture) * 200 + 20
    return [picture[t : t + height, 2 * t : 2 * t + width].astype(np.uint8) for t in range(count)]


def add_stream(
    out: Any, codec: str, *, size: tuple[int, int] = SIZE, pixels: str = "yuv420p", options: Options = None
) -> Any:
    """Add a video stream of 30 frames a second."""
    stream = out.add_stream(codec, rate=30, options=dict(options or {}))
    stream.height, stream.width, stream.pix_fmt = *size, pixels
    return stream


def encode(out: Any, stream: Any, frames: Sequence[NDArray[np.uint8]]) -> None:
    """Encode RGB frames one after the other."""
    for number, picture in enumerate(frames):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=stream.pix_fmt)
        frame.pts, frame.time_base = number, Fraction(1, 30)
        out.mux(stream.encode(frame))
    out.mux(stream.encode(None))


def write(
    path: Path,
    codec: str,
    count: int,
    *,
    size: tuple[int, int] = SIZE,
    pixels: str = "yuv420p",
    options: Options = None,
) -> None:
    """Write a video of one stream."""
    with av.open(f"file:{path}", "w") as out:
        stream = add_stream(out, codec, size=size, pixels=pixels, options=options)
        encode(out, stream, texture(count, size=size))


def spoil(path: Path, number: int, kind: str = "noise") -> None:
    """Damage the packet of that number: zeros, noise in its middle, or nothing but noise."""
    with av.open(f"file:{path}") as container:
        packets = [(packet.pos or 0, packet.size) for packet in container.demux(video=0) if packet.size]
    (place, size), data = packets[number], bytearray(path.read_bytes())
    begin, end = {"zeros": (8, size), "noise": (size // 3, 2 * size // 3)}[kind]
    draw = np.random.default_rng(0).integers(0, 256, end - begin, dtype=np.uint8).tobytes()
    data[place + begin : place + end] = bytes(end - begin) if kind == "zeros" else draw
    path.write_bytes(data)
