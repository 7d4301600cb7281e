"""Color of video as luma and chroma planes, and as R'G'B' without rounding or clipping."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

Planes = Sequence[NDArray[Any]]
Values = NDArray[np.float32]

_FULL = 2
HD = (0.2126, 0.0722)  # BT.709
# FFmpeg's number of a matrix -> weights of R' and B' in luma (ITU-T H.273, table 4). Any other, or none, is read as
# BT.601, as libswscale does.
_WEIGHTS = {1: HD, 4: (0.30, 0.11), 7: (0.212, 0.087), 9: (0.2627, 0.0593), 10: (0.2627, 0.0593)}
_BT601 = (0.299, 0.114)
# Rows and columns of pixels for each chroma sample -> name of the sampling.
SAMPLINGS = {(1, 1): "444", (1, 2): "422", (2, 2): "420", (2, 1): "440", (1, 4): "411", (4, 4): "410"}


@dataclass(frozen=True)
class Yuv:
    """How three planes hold the color of a frame.

    Attributes
    ----------
    bits
        Of each sample: codes lie in [0, 2^bits - 1].
    block
        Rows and columns of pixels that share a chroma sample.
    full
        Whether codes use the full range; else white is 235 and black 16, of 8 bits.
    weights
        Weights of R' and B' in luma.
    """

    bits: int
    block: tuple[int, int]
    full: bool
    weights: tuple[float, float] = _BT601

    @classmethod
    def of(cls, frame: Any) -> "Yuv | None":
        """Return how a decoded frame holds color; None for RGB, gray, palettes and other color spaces."""
        form = frame.format
        if not is_yuv(form):
            return None
        full = int(frame.color_range) == _FULL or form.name.startswith("yuvj")
        return cls(bits_of(form), block_of(form), full, _WEIGHTS.get(int(frame.colorspace), _BT601))

    @classmethod
    def like(cls, form: Any, other: "Yuv") -> "Yuv":
        """Return how a pixel format holds color of the same range and matrix as another."""
        return cls(bits_of(form), block_of(form), other.full, other.weights)

    @property
    def pixels(self) -> str:
        """Return FFmpeg's name of the planar pixel format."""
        return f"yuv{SAMPLINGS[self.block]}p" + (f"{self.bits}le" if self.bits > 8 else "")

    @property
    def luma(self) -> tuple[int, int]:
        """Return the code of black, and how many lie between it and white."""
        return (0, 2**self.bits - 1) if self.full else (16 << self.bits - 8, 219 << self.bits - 8)

    @property
    def chroma(self) -> tuple[int, int]:
        """Return the code of gray, and how many the range has."""
        return 1 << self.bits - 1, 2**self.bits - 1 if self.full else 224 << self.bits - 8

    def rgb(self, planes: Planes) -> Values:
        """Return R'G'B', ``(3, H, W)``, black being 0.0 and white 1.0; codes beyond them are not clipped.

        A chroma sample counts for each pixel of its block: that is what libswscale gives for 8 bits, thus what networks
        are trained on, and `added` is its exact inverse. Interpolation between samples would have none, and leave half
        of the chroma's noise in place.
        """
        red, blue = self.weights
        (black, span), (gray, reach) = self.luma, self.chroma
        y = (planes[0].astype(np.float32) - black) * np.float32(1 / span)
        u, v = (
            _spread((plane.astype(np.float32) - gray) * np.float32(1 / reach), self.block, y.shape)
            for plane in planes[1:]
        )
        # H.273, equations 38 to 40, solved for R', G', B'.
        of_u, of_v = 2 * (1 - blue), 2 * (1 - red)
        green = 1 - red - blue
        rgb = np.empty((3, *y.shape), np.float32)
        rgb[0] = y + np.float32(of_v) * v
        rgb[1] = y - np.float32(blue * of_u / green) * u - np.float32(red * of_v / green) * v
        rgb[2] = y + np.float32(of_u) * u
        return rgb

    def added(self, planes: Planes, change: Values) -> list[Values]:
        """Return the planes with a change of R'G'B' added; not rounded.

        Parameters
        ----------
        planes
            Codes.
        change
            ``(3, H, W)``, white being 1.0; the chroma of a block changes by its mean. 0 leaves the codes exactly.
        """
        red, blue = self.weights
        y = np.float32(red) * change[0] + np.float32(1 - red - blue) * change[1] + np.float32(blue) * change[2]
        u = _means((change[2] - y) * np.float32(1 / (2 * (1 - blue))), self.block)
        v = _means((change[0] - y) * np.float32(1 / (2 * (1 - red))), self.block)
        steps = (self.luma[1], self.chroma[1], self.chroma[1])
        return [plane + np.float32(step) * by for plane, step, by in zip(planes, steps, (y, u, v), strict=True)]

    def coded(self, planes: Planes, other: "Yuv") -> list[NDArray[Any]]:
        """Return planes of this form, rounded or not, as codes of another with the same range and matrix."""
        luma, *chroma = (plane.astype(np.float32) for plane in planes)
        if other.block != self.block:
            chroma = [_means(_spread(plane, self.block, luma.shape), other.block) for plane in chroma]
        ends = ((self.luma, other.luma), (self.chroma, other.chroma), (self.chroma, other.chroma))
        codes = []
        for plane, ((zero, span), (new_zero, new_span)) in zip((luma, *chroma), ends, strict=True):
            scaled = plane if other.bits == self.bits else (plane - zero) * np.float32(new_span / span) + new_zero
            codes.append(np.clip(np.rint(scaled), 0, 2**other.bits - 1).astype(_dtype(other.bits)))
        return codes


def is_yuv(form: Any) -> bool:
    """Return whether a pixel format has luma and two chroma components, and no alpha."""
    other = form.is_rgb or form.has_palette or form.is_bayer or form.name.startswith("xyz")
    return not other and len(form.components) == 3 and block_of(form) in SAMPLINGS


def bits_of(form: Any) -> int:
    """Return the bits of a pixel format's largest component."""
    return max(int(component.bits) for component in form.components)


def block_of(form: Any) -> tuple[int, int]:
    """Return how many rows and columns of pixels share a chroma sample of a pixel format."""
    return 64 // form.chroma_height(64), 64 // form.chroma_width(64)


def nearest(known: Sequence[str], source: Any) -> str | None:
    """Return the planar format closest to a YUV format: no fewer bits and chroma samples, else as few more as possible.

    Parameters
    ----------
    known
        Names of pixel formats to choose from.
    source
        The pixel format of the source.

    Returns
    -------
    str or None
        None if none is planar YUV.
    """
    bits, (rows, columns) = bits_of(source), block_of(source)

    def distance(name: str) -> tuple[int, int, int, int]:
        form = av.VideoFormat(name)
        height, width = block_of(form)
        fewer = max(0, height // rows - 1) + max(0, width // columns - 1)
        return max(0, bits - bits_of(form)), fewer, max(0, bits_of(form) - bits), -height * width

    # FFmpeg's names with a j say full range, which the tag says as well.
    planar = [name for name in known if name.startswith("yuv4") and is_yuv(av.VideoFormat(name))]
    return min(planar, key=distance, default=None)


def read_planes(frame: Any) -> list[NDArray[Any]]:
    """Return the planes of a planar frame, ``(H, W)`` of luma and less of chroma; they share its memory."""
    dtype = _dtype(bits_of(frame.format))
    planes = []
    for plane in frame.planes:
        lines = np.frombuffer(plane, dtype).reshape(plane.height, -1)[:, : plane.width]
        planes.append(lines if plane.line_size > 0 else lines[::-1])  # below 0 the last line comes first
    return planes


def planar_frame(planes: Planes, pixels: str) -> Any:
    """Return a frame with these planes.

    Parameters
    ----------
    planes
        Codes.
    pixels
        Name of a planar pixel format of their bits and sizes.
    """
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pixels)
    for plane, codes in zip(frame.planes, planes, strict=True):
        lines = np.zeros((plane.height, plane.line_size // codes.itemsize), codes.dtype)
        lines[:, : plane.width] = codes
        plane.update(lines.tobytes())
    return frame


def _dtype(bits: int) -> str:
    return "<u2" if bits > 8 else "u1"


def _spread(plane: NDArray[Any], block: tuple[int, int], shape: tuple[int, ...]) -> NDArray[Any]:
    """Return a plane of ``shape`` in which each sample fills its block."""
    for axis, times in enumerate(block):
        if times > 1:
            plane = np.repeat(plane, times, axis)
    return plane[: shape[0], : shape[1]]


def _means(plane: NDArray[Any], block: tuple[int, int]) -> NDArray[Any]:
    """Return the mean of each block; blocks at the edge may be cut."""
    if block == (1, 1):
        return plane
    rows, columns = block
    height, width = plane.shape
    whole = np.pad(plane, ((0, -height % rows), (0, -width % columns)), mode="edge")
    total = np.zeros((-(-height // rows), -(-width // columns)), np.float32)
    for row, column in np.ndindex(rows, columns):
        total += whole[row::rows, column::columns]
    return total / np.float32(rows * columns)
