"""Short segments of a video, encoded independently: the finished part of a video in progress.

A segment starts with a key frame and refers to nothing outside it, so segments encoded by different runs can be joined
in one stream.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec import find_best_pix_fmt_of_list
from av.codec.context import Flags
from numpy.typing import NDArray
from safetensors.numpy import load, save

from self2align.media.containers import LOCATING
from self2align.runtime.sealed import read_sealed, write_sealed
from self2align.videos.tags import FIELDS, LEFT, TOP_FIRST, location_name
from self2align.videos.yuv import SAMPLINGS, bits_of, block_of, is_yuv, nearest

_UNSPECIFIED, _FULL = 0, 2
_LIMITED, _BT709 = 1, 1  # for RGB that an encoder accepts only as YUV: range and matrix of HD video


@dataclass(frozen=True)
class Encoding:
    """How the frames of a video are encoded: as close to the source as the encoder allows.

    Attributes
    ----------
    codec
        A key of `self2align.media.containers.ENCODERS`.
    width, height
        px.
    pixels
        FFmpeg's pixel format: bits, channels and chroma sampling.
    rate
        Mean frame rate, 1/s.
    color_range, colorspace, color_primaries, color_trc
        FFmpeg's numbers.
    aspect
        Pixel aspect ratio; None if unknown.
    fields
        FFmpeg's number of the order of interlaced fields; 0 for whole frames.
    location
        FFmpeg's number of where chroma samples lie; 0 if unknown.
    options
        Of the encoder, by name: see `self2align.media.containers.encoder_options`.
    """

    codec: str
    width: int
    height: int
    pixels: str
    rate: Fraction
    color_range: int
    colorspace: int
    color_primaries: int
    color_trc: int
    aspect: Fraction | None
    fields: int = 0
    location: int = 0
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def like(
        cls,
        codec: str,
        stream: Any,
        frame: Any,
        interlaced: bool = False,
        location: int = 0,
        *,
        options: Mapping[str, str],
    ) -> "Encoding":
        """Return the encoding closest to that of a stream and its first frame.

        Parameters
        ----------
        codec
            The encoder.
        stream, frame
            The stream, and its first frame.
        interlaced
            Whether any frame is.
        location
            See the class.
        options
            See the class.
        """
        known = [pixels.name for pixels in av.Codec(codec, "w").video_formats or []]
        planar = nearest(known, frame.format) if is_yuv(frame.format) else None
        best = find_best_pix_fmt_of_list(known, frame.format.name)[0] if planar is None else av.VideoFormat(planar)
        assert best is not None, codec
        becomes_yuv = frame.format.is_rgb and not best.is_rgb
        # Unspecified gray has full range; H.264 and similar codecs assume limited range.
        gray = len(frame.format.components) == 1 and int(frame.color_range) == _UNSPECIFIED
        return cls(
            codec=codec,
            width=frame.width,
            height=frame.height,
            pixels=best.name,
            rate=Fraction(stream.average_rate or stream.guessed_rate or 25),
            color_range=_LIMITED if becomes_yuv else _FULL if gray else int(frame.color_range),
            colorspace=_BT709 if becomes_yuv else int(frame.colorspace),
            color_primaries=int(frame.color_primaries),
            color_trc=int(frame.color_trc),
            aspect=stream.sample_aspect_ratio or None,
            fields=int(stream.codec_context.field_order) if interlaced else 0,
            location=location,
            options=options,
        )

    @property
    def block(self) -> tuple[int, int]:
        """Return the rows and columns of pixels that share a chroma sample."""
        return block_of(av.VideoFormat(self.pixels))

    def losses(self, frame: Any) -> list[str]:
        """Return a line for each property of the source's pixels that the encoder does not take."""
        source, form = frame.format, av.VideoFormat(self.pixels)
        lines = []
        if bits_of(form) < bits_of(source):
            taken = f"{self.codec} takes no more (libx265 takes 12, ffv1 16; in .mkv)"
            lines.append(f"its {bits_of(source)} bits become {bits_of(form)}: {taken}")
        if is_yuv(source) and is_yuv(form) and any(np.array(block_of(form)) > block_of(source)):
            found, written = (SAMPLINGS[block_of(one)] for one in (source, form))
            lines.append(f"its chroma of 4:{found[1]}:{found[2]} becomes 4:{written[1]}:{written[2]}: {self.codec}")
        if self.location not in (0, LEFT) and self.codec not in LOCATING:
            lines.append(f"not written: that its chroma samples lie at the {location_name(self.location)}")
        return lines

    def set_up(self, context: Any) -> None:
        """Set up an encoder."""
        os.environ.setdefault("SVT_LOG", "1")  # errors alone: SVT-AV1 writes to the terminal past FFmpeg's log
        context.width, context.height, context.pix_fmt = self.width, self.height, self.pixels
        context.time_base, context.framerate = 1 / self.rate, self.rate
        context.color_range, context.colorspace = self.color_range, self.colorspace
        context.color_primaries, context.color_trc = self.color_primaries, self.color_trc
        if self.aspect is not None:
            context.sample_aspect_ratio = self.aspect
        options = dict(self.options)
        if self.location and self.codec in LOCATING:
            options["chroma_sample_location"] = str(self.location)
        if self.fields in FIELDS:
            context.field_order = self.fields
            if self.codec == "libx264":
                options["x264-params"] += f":{'tff' if self.fields in TOP_FIRST else 'bff'}=1"
        context.options = options


@dataclass(frozen=True)
class Segment:
    """Packets of consecutive frames, in the order of decoding.

    Attributes
    ----------
    packets
        Their bytes.
    shown, decoded
        When each is shown and decoded, in frames from the segment's first; ``(N,)``.
    keys
        Whether each is a key frame; ``(N,)``.
    times
        When each frame is shown, in the order of showing, in ticks of the source; ``(N,)``.
    last
        How long the last frame is shown, in the same ticks.
    """

    packets: list[bytes]
    shown: NDArray[np.int64]
    decoded: NDArray[np.int64]
    keys: NDArray[np.bool_]
    times: NDArray[np.int64]
    last: int

    def save(self, path: Path) -> None:
        """Write the segment completely or not at all."""
        arrays: dict[str, NDArray[Any]] = {
            "data": np.frombuffer(b"".join(self.packets), np.uint8),
            "sizes": np.array([len(packet) for packet in self.packets], np.int64),
            "shown": self.shown,
            "decoded": self.decoded,
            "keys": self.keys,
            "times": self.times,
            "last": np.array([self.last], np.int64),
        }
        write_sealed(path, save(arrays))

    @classmethod
    def load(cls, path: Path) -> "Segment":
        """Read a segment."""
        arrays = load(read_sealed(path))
        data, ends = arrays["data"].tobytes(), np.cumsum(arrays["sizes"])
        packets = [data[end - size : end] for end, size in zip(ends, arrays["sizes"], strict=True)]
        columns = {name: arrays[name] for name in ("shown", "decoded", "keys", "times")}
        return cls(packets, **columns, last=int(arrays["last"][0]))


class SegmentEncoder:
    """Encodes one segment, frame by frame."""

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.context: Any = av.CodecContext.create(encoding.codec, "w")
        encoding.set_up(self.context)
        self.context.flags |= Flags.global_header
        self.packets: list[Any] = []
        self.times: list[int] = []

    def add(self, frame: Any, time: int) -> None:
        """Encode the next frame.

        Parameters
        ----------
        frame
            Of the encoding's size and pixel format.
        time
            When it is shown, in ticks of the source.
        """
        mine = self.encoding
        assert frame.format.name == mine.pixels, frame.format.name
        frame.color_range, frame.colorspace = mine.color_range, mine.colorspace
        frame.pts, frame.time_base = len(self.times), 1 / mine.rate
        self.times.append(time)
        self.packets += self.context.encode(frame)

    def finish(self, last: int) -> Segment:
        """Return the segment; its last frame is shown for ``last`` ticks."""
        self.packets += self.context.encode(None)
        assert len(self.packets) == len(self.times), (len(self.packets), len(self.times))
        return Segment(
            [bytes(packet) for packet in self.packets],
            np.array([packet.pts for packet in self.packets], np.int64),
            np.array([packet.dts for packet in self.packets], np.int64),
            np.array([packet.is_keyframe for packet in self.packets], np.bool_),
            np.array(self.times, np.int64),
            last,
        )
