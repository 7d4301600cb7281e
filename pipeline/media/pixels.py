"""From denoised values to the frames that an encoder takes."""

from typing import Any

import av
import numpy as np

from self2align.media.segments import Encoding
from self2align.stores.codes import Coding
from self2align.videos.pixels import Packed, Planar, Values
from self2align.videos.yuv import Yuv, planar_frame


def frame_of(
    pixels: Planar | Packed, source: Any, noisy: Values, clean: Values, coding: Coding, encoding: Encoding
) -> Any:
    """Return a frame for the encoder.

    Parameters
    ----------
    pixels
        How the source was read.
    source
        The decoded frame.
    noisy, clean
        Its values, and the denoised ones, ``(C, H, W)``. Of YUV the change is added to the planes, so what is not
        changed keeps its codes exactly, those below black and above white too.
    coding
        Of the values.
    encoding
        Its pixel format and color.
    """
    if isinstance(pixels, Planar):
        change = (clean - noisy) * np.float32(1 / (coding.scale * pixels.white))
        planes = pixels.yuv.added(pixels.planes(source), change)
        form = av.VideoFormat(encoding.pixels)
        return planar_frame(pixels.yuv.coded(planes, Yuv.like(form, pixels.yuv)), encoding.pixels)
    codes = coding.encode(clean)
    array = codes.transpose(1, 2, 0) if len(codes) > 1 else codes[0]
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), format=pixels.layout)
    return frame.reformat(
        format=encoding.pixels, dst_colorspace=encoding.colorspace, dst_color_range=encoding.color_range
    )
