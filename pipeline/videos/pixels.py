"""The values of decoded frames: the same for footage to train on and for footage to denoise."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.stores.codes import VIDEO, Coding
from self2align.videos.yuv import HD, Yuv, bits_of, read_planes

Values = NDArray[np.float32]


class Planar:
    """Frames of YUV: values are R'G'B' without rounding or clipping.

    Attributes
    ----------
    channels
        Of the values: 1 for gray, 3 for R'G'B'.
    bits
        Of a sample.
    dtype, white
        Type of the codes that a coding refers to, and its code of white: uint8 and 255, or uint16 and 65535.
    weights
        Of R' and B' in luma.
    """

    channels = 3

    def __init__(self, yuv: Yuv) -> None:
        self.yuv, self.bits, self.weights = yuv, yuv.bits, yuv.weights
        self.dtype, self.white = _code(yuv.bits)

    def values(self, frame: Any, coding: Coding) -> Values:
        """Return what a network sees of a decoded frame, ``(C, H, W)``."""
        return coding.decode(self.yuv.rgb(self.planes(frame)) * np.float32(self.white))

    def stored(self, frame: Any) -> tuple[NDArray[Any], Coding]:
        """Return a decoded frame as it is stored to train on, ``(C, H, W)``, and how: in units of white."""
        return VIDEO.encode(self.yuv.rgb(self.planes(frame))), VIDEO

    def planes(self, frame: Any) -> list[NDArray[Any]]:
        """Return the planes of a frame: interleaved (nv12), packed (yuyv422) and big-endian ones are put in order."""
        same = frame.format.name.replace("yuvj", "yuv") == self.yuv.pixels
        return read_planes(frame if same else frame.reformat(format=self.yuv.pixels))


class Packed:
    """Frames of RGB or gray: values are the codes that FFmpeg gives in a common layout. See `Planar`."""

    weights = HD

    def __init__(self, bits: int, gray: bool) -> None:
        self.channels, self.bits = 1 if gray else 3, bits
        self.dtype, self.white = _code(bits)
        self.layout = ("gray16le" if bits > 8 else "gray") if gray else ("rgb48le" if bits > 8 else "rgb24")

    def values(self, frame: Any, coding: Coding) -> Values:
        """See `Planar`."""
        return coding.decode(self._codes(frame))

    def stored(self, frame: Any) -> tuple[NDArray[Any], Coding]:
        """See `Planar`."""
        return self._codes(frame), Coding(self.dtype, 1 / self.white)

    def _codes(self, frame: Any) -> NDArray[Any]:
        pixels: NDArray[Any] = frame.to_ndarray(format=self.layout)
        return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def pixels_of(source: Path, frame: Any) -> Planar | Packed:
    """Return how the frames of a video are read, from its first one.

    Raises
    ------
    ValueError
        If it has alpha.
    """
    form = frame.format
    if any(component.is_alpha for component in form.components):
        raise ValueError(f"{source}: found pixels of {form.name}, expected a video without alpha")
    yuv = Yuv.of(frame)
    if yuv is not None:
        return Planar(yuv)
    gray = len(form.components) == 1 and not form.has_palette and not form.is_bayer
    return Packed(bits_of(form), gray)


def _code(bits: int) -> tuple[str, float]:
    """Return the type of codes, and the code of white."""
    return ("uint16", 65535.0) if bits > 8 else ("uint8", 255.0)
