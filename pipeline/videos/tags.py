"""What a video says of its frames beside their values, as far as PyAV passes it on."""

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import av
import numpy as np

from self2align.videos.opening import opened

PROGRESSIVE, FIELDS = (0, 1), (2, 3, 4, 5)  # FFmpeg's field orders
TOP_FIRST = (2, 4)
LEFT = 1  # FFmpeg's number of the chroma location that H.264 and others mean where they say none
_LOCATIONS = {"h264": {n: n + 1 for n in range(6)}, "hevc": {n: n + 1 for n in range(6)}, "av1": {1: LEFT, 2: 3}}
_LOCATION_NAMES = ("", "left", "center", "top left", "top", "bottom left", "bottom")
# Frame data of FFmpeg -> what it is, where it says more than a copy of the pixels can.
_FRAME_DATA = {
    "A53_CC": "closed captions",
    "STEREO3D": "stereo layout",
    "SPHERICAL": "spherical projection",
    "MASTERING_DISPLAY_METADATA": "HDR mastering display",
    "CONTENT_LIGHT_LEVEL": "HDR light level",
    "DYNAMIC_HDR_PLUS": "HDR10+",
    "DYNAMIC_HDR_VIVID": "HDR Vivid",
    "DOVI_METADATA": "Dolby Vision",
    "AMBIENT_VIEWING_ENVIRONMENT": "HDR viewing environment",
    "S12M_TIMECODE": "time code",
    "GOP_TIMECODE": "time code",
    "FILM_GRAIN_PARAMS": "film grain",
    "ICC_PROFILE": "colour profile",
}


def display_matrix(frame: Any) -> list[int] | None:
    """Return FFmpeg's nine numbers of how a frame is turned for display; None if it is not."""
    try:
        matrix: Any = frame.side_data.get("DISPLAYMATRIX")
    except ValueError:  # PyAV knows not all kinds of frame data, and then passes on none
        return _turned(frame.rotation)
    return None if matrix is None else np.frombuffer(matrix, np.int32).tolist()


def _turned(degrees: int) -> list[int] | None:
    if degrees % 360 == 0:
        return None
    angle = math.radians(-degrees)
    cos, sin = (round(65536 * value) for value in (math.cos(angle), math.sin(angle)))
    return [cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 30]


def frame_data(frame: Any) -> list[str]:
    """Return names of the data of a frame that a denoised one does not carry."""
    try:
        kinds = {data.type.name for data in frame.side_data}
    except ValueError:
        return ["frame data of a kind that is not read"]
    return sorted({name for kind, name in _FRAME_DATA.items() if kind in kinds})


def chroma_location(path: Path, index: int) -> int:
    """Return FFmpeg's number of where the chroma samples of a stream lie; 0 if it does not say."""
    with opened(path) as container:
        stream = container.streams[index]
        name = stream.codec_context.name
        codec = "av1" if "av1" in name or "dav1d" in name else name
        if codec not in _LOCATIONS:
            return 0
        level = av.logging.get_level()
        av.logging.set_level(av.logging.INFO)
        try:
            # Decoders are content with headers that the trace cannot read; those tell no location then.
            with av.logging.Capture() as lines, suppress(av.FFmpegError):
                headers = av.BitStreamFilterContext("trace_headers", in_stream=stream)
                headers.filter(next(container.demux(stream)))
        finally:
            av.logging.set_level(level)
    return _LOCATIONS[codec].get(_traced(lines), 0)


def _traced(lines: Sequence[tuple[Any, ...]]) -> int:
    """Return the number of a chroma location in FFmpeg's trace of headers, as the codec counts; -1 without one."""
    for *_, text in lines:
        found = re.search(r"chroma_sample_(?:loc_type_top_field|position)\b.* = (\d+)", str(text))
        if found:
            return int(found[1])
    return -1


def location_name(number: int) -> str:
    """Return the name of a chroma location."""
    return _LOCATION_NAMES[number]
