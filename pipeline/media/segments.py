"""Short segments of a video, encoded independently: the finished part of a video in progress.

A segment starts with a key frame and refers to nothing outside it, so segments encoded by different runs can be joined
in one stream.
"""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec import find_best_pix_fmt_of_list
from av.codec.context import Flags
from numpy.typing import NDArray

from self2align.media.containers import ENCODERS
from self2align.media.yuv import bits_of, is_yuv, nearest

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

    @classmethod
    def like(cls, codec: str, stream: Any, frame: Any) -> "Encoding":
        """Return the encoding closest to that of a stream and its first frame."""
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
        )

    def lost_bits(self, frame: Any) -> str | None:
        """Return a line if the encoder takes fewer bits than a frame of the source has, else None."""
        found, written = bits_of(frame.format), bits_of(av.VideoFormat(self.pixels))
        if written >= found:
            return None
        return f"its {found} bits become {written}: {self.codec} takes no more (libx265 takes 12, ffv1 16; in .mkv)"

    def set_up(self, context: Any) -> None:
        """Set up an encoder."""
        context.width, context.height, context.pix_fmt = self.width, self.height, self.pixels
        context.time_base, context.framerate = 1 / self.rate, self.rate
        context.color_range, context.colorspace = self.color_range, self.colorspace
        context.color_primaries, context.color_trc = self.color_primaries, self.color_trc
        if self.aspect is not None:
            context.sample_aspect_ratio = self.aspect
        context.options = dict(ENCODERS[self.codec])


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
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(
                file,
                allow_pickle=False,
                data=np.frombuffer(b"".join(self.packets), np.uint8),
                sizes=np.array([len(packet) for packet in self.packets], np.int64),
                shown=self.shown,
                decoded=self.decoded,
                keys=self.keys,
                times=self.times,
                last=np.int64(self.last),
            )
        partial.replace(path)

    @classmethod
    def load(cls, path: Path) -> "Segment":
        """Read a segment."""
        with np.load(path, allow_pickle=False) as arrays:
            data, ends = arrays["data"].tobytes(), np.cumsum(arrays["sizes"])
            packets = [data[end - size : end] for end, size in zip(ends, arrays["sizes"], strict=True)]
            columns = {name: arrays[name] for name in ("shown", "decoded", "keys", "times")}
            return cls(packets, **columns, last=int(arrays["last"]))


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
