"""From decoded frames of a video to what a network sees, and back to frames for the encoder."""

from pathlib import Path
from typing import Any, Protocol

import av
import numpy as np
from numpy.typing import NDArray

from self2align.media.segments import Encoding
from self2align.media.yuv import Yuv, bits_of, planar_frame, read_planes
from self2align.stores.codes import Coding

Values = NDArray[np.float32]


class Pixels(Protocol):
    """How frames of one form are read and written.

    Attributes
    ----------
    channels
        Of the values: 1 for gray, 3 for R'G'B'.
    dtype
        Type of the codes that a coding refers to, the same as of training footage: uint8, or uint16 for more bits.
    """

    channels: int
    dtype: str

    def values(self, frame: Any, coding: Coding) -> Values:
        """Return what a network sees of a decoded frame, ``(C, H, W)``."""
        ...

    def frame(self, source: Any, noisy: Values, clean: Values, coding: Coding, encoding: Encoding) -> Any:
        """Return a frame for the encoder.

        Parameters
        ----------
        source
            The decoded frame.
        noisy, clean
            Its values, and the denoised ones, ``(C, H, W)``.
        coding
            Of the values.
        encoding
            Its pixel format and color.
        """
        ...


class Planar:
    """YUV: values are R'G'B' without rounding or clipping, and the change by denoising is added to the planes.

    What is not changed keeps its codes exactly, those below black and above white too.
    """

    channels = 3

    def __init__(self, yuv: Yuv) -> None:
        self.yuv = yuv
        self.dtype, self.white = _code(yuv.bits)

    def values(self, frame: Any, coding: Coding) -> Values:
        """See `Pixels`."""
        return coding.decode(self.yuv.rgb(self._planes(frame)) * np.float32(self.white))

    def frame(self, source: Any, noisy: Values, clean: Values, coding: Coding, encoding: Encoding) -> Any:
        """See `Pixels`."""
        change = (clean - noisy) * np.float32(1 / (coding.scale * self.white))
        planes = self.yuv.added(self._planes(source), change)
        form = av.VideoFormat(encoding.pixels)
        codes = self.yuv.coded(planes, Yuv.like(form, self.yuv))
        return planar_frame(codes, encoding.pixels)

    def _planes(self, frame: Any) -> list[NDArray[Any]]:
        # Interleaved planes (nv12), packed pixels (yuyv422) and big-endian codes are only put in order.
        same = frame.format.name.replace("yuvj", "yuv") == self.yuv.pixels
        return read_planes(frame if same else frame.reformat(format=self.yuv.pixels))


class Packed:
    """RGB and gray: values are the codes that FFmpeg gives in a common layout."""

    def __init__(self, bits: int, gray: bool) -> None:
        self.channels = 1 if gray else 3
        self.dtype, _ = _code(bits)
        self.layout = ("gray16le" if bits > 8 else "gray") if gray else ("rgb48le" if bits > 8 else "rgb24")

    def values(self, frame: Any, coding: Coding) -> Values:
        """See `Pixels`."""
        pixels: NDArray[Any] = frame.to_ndarray(format=self.layout)
        return coding.decode(pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1))

    def frame(self, source: Any, noisy: Values, clean: Values, coding: Coding, encoding: Encoding) -> Any:
        """See `Pixels`."""
        codes = coding.encode(clean)
        pixels = codes.transpose(1, 2, 0) if len(codes) > 1 else codes[0]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format=self.layout)
        return frame.reformat(
            format=encoding.pixels, dst_colorspace=encoding.colorspace, dst_color_range=encoding.color_range
        )


def pixels_of(source: Path, frame: Any) -> Pixels:
    """Return how the frames of a video are read and written, from its first one.

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
