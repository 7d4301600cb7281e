"""Assembling a video from denoised segments and the other streams of its source."""

import heapq
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from self2align.media.containers import ANY, CONTAINERS, PLAIN_TAGS, WHOLE_BLOCKS
from self2align.media.segments import Encoding, Segment
from self2align.videos.opening import address, opened

# Metadata that a container writes itself.
_OWN = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})


def check_container(
    source: Path, index: int, target: Path, encoding: Encoding, matrix: Sequence[int] | None
) -> list[str]:
    """Return a line for each stream that the result cannot hold.

    Raises
    ------
    ValueError
        If that is the video or sound: refused before hours of work, not after.
    """
    if encoding.codec in WHOLE_BLOCKS and (encoding.height % encoding.block[0] or encoding.width % encoding.block[1]):
        others = "prores_ks" if target.suffix.lower() == ".mov" else "libvpx-vp9 or libsvtav1"
        raise ValueError(
            f"{target}: found {encoding.width} x {encoding.height} pixels of {encoding.pixels}, "
            f"expected even sides for {encoding.codec}, or --codec {others}, or ffv1 in {ANY}"
        )
    with opened(source) as video, _written(BytesIO(), target, video, video.streams[index].time_base) as out:
        try:
            _, _, left_out = _begin(video, index, out, target, encoding, matrix)
            out.start_encoding()
        except (av.FFmpegError, ValueError) as error:
            text = " ".join(str(error).split())
            what = f"{encoding.width} x {encoding.height} pixels by {encoding.codec} ({text})"
            raise ValueError(f"{target}: found no way to write {what}, expected another codec or container") from error
    return left_out


def remux(
    source: Path,
    index: int,
    target: Path,
    made: Path,
    encoding: Encoding,
    matrix: Sequence[int] | None,
    segments: Sequence[Path],
) -> None:
    """Write a video.

    Parameters
    ----------
    source
        The video that was denoised.
    index
        Of the stream that is its footage.
    target
        Its suffix chooses the container.
    made
        File to write.
    encoding
        Of the segments.
    matrix
        Display matrix: FFmpeg's nine numbers; None for no rotation.
    segments
        Files of all segments, in order.
    """
    with opened(source) as video, _written(address(made), target, video, video.streams[index].time_base) as out:
        shown, copies, _ = _begin(video, index, out, target, encoding, matrix)
        packets = [_encoded(segments, shown, video.streams[index].time_base)]
        if copies:
            packets.append(_copied(video, copies))
        # In order of time, so the container does not have to buffer.
        for _, packet in heapq.merge(*packets, key=lambda timed: timed[0]):
            out.mux(packet)


def _written(file: Any, target: Path, source: Any, tick: Fraction) -> Any:
    # Bitexact: otherwise Matroska writes random identifiers.
    options = {"fflags": "+bitexact"}
    container = CONTAINERS[target.suffix.lower()][0]
    if container in ("mov", "mp4"):
        # The time of the first frame is stored in these units, otherwise of 1 ms.
        options["movie_timescale"] = str(tick.denominator)
        if any(name not in PLAIN_TAGS for name in _tags(source)):
            options["movflags"] = "+use_metadata_tags"
    return av.open(file, "w", format=container, container_options=options)


def _tags(source: Any) -> dict[str, str]:
    """Return the metadata of a file without what a container writes itself, and without second copies by language."""
    found = {name: text for name, text in source.metadata.items() if name.lower() not in _OWN}
    return {name: text for name, text in found.items() if found.get(name.rpartition("-")[0]) != text}


def _begin(
    video: Any, index: int, out: Any, target: Path, encoding: Encoding, matrix: Sequence[int] | None
) -> tuple[Any, dict[int, Any], list[str]]:
    """Add all streams to a container; return the video stream, the copies by index, and lines on what is left out."""
    main = video.streams[index]
    shown = out.add_stream(encoding.codec, rate=encoding.rate)
    encoding.set_up(shown.codec_context)
    shown.time_base = main.time_base
    if matrix is not None:
        shown.set_display_matrix(matrix)
    _describe(main, shown)
    copies, left_out = {}, []
    for stream in video.streams:
        copy = None if stream is main else _copy(stream, out, target)
        if copy is not None:
            copies[stream.index] = copy
        elif stream.type != "video":
            left_out.append(f"its {stream.type} stream {stream.index} is not copied")
    out.metadata.update(_tags(video))
    if video.chapters():
        out.set_chapters(video.chapters())
    return shown, copies, left_out


def _copy(stream: Any, out: Any, target: Path) -> Any:
    """Add a copy of a sound or subtitle stream; None if the container cannot hold it, an error if that is sound."""
    if stream.type not in ("audio", "subtitle"):
        return None
    try:
        copy = out.add_stream_from_template(stream, opaque=True)
    except ValueError as error:
        if stream.type == "audio":
            name = stream.codec_context.name if stream.codec_context is not None else "unknown"
            remedy = "expected video alone" if target.suffix.lower() == ANY else f"{ANY} holds more"
            raise ValueError(f"sound of codec {name}, which {target.suffix} does not hold; {remedy}") from error
        return None
    _describe(stream, copy)
    return copy


def _describe(stream: Any, copy: Any) -> None:
    copy.metadata.update(stream.metadata)
    copy.disposition = int(stream.disposition)


def _encoded(segments: Sequence[Path], stream: Any, tick: Any) -> Iterator[tuple[float, Any]]:
    """Yield the packets of all segments with their decoding times, s."""
    times, last = _times(segments)
    step = int(times[1] - times[0]) if len(times) > 1 else last
    ends = np.append(times[1:], times[-1] + last)
    first = 0
    for path in segments:
        segment = Segment.load(path)
        for data, shown, decoded, key in zip(
            segment.packets, segment.shown + first, segment.decoded + first, segment.keys, strict=True
        ):
            packet = av.Packet(data)
            packet.stream, packet.time_base, packet.is_keyframe = stream, tick, bool(key)
            packet.pts, packet.duration = int(times[shown]), int(ends[shown] - times[shown])
            # If frames refer to later ones, the first are decoded before time 0.
            packet.dts = int(times[decoded]) if decoded >= 0 else int(times[0] + decoded * step)
            yield float(packet.dts * tick), packet
        first += len(segment.packets)


def _times(segments: Sequence[Path]) -> tuple[NDArray[np.int64], int]:
    """Return when each frame is shown, and for how long the last."""
    times, last = [], 0
    for path in segments:
        segment = Segment.load(path)
        times.append(segment.times)
        last = segment.last
    return np.concatenate(times), last


def _copied(video: Any, copies: Mapping[int, Any]) -> Iterator[tuple[float, Any]]:
    """Yield the packets of the copied streams with their times, s."""
    for packet in video.demux([video.streams[index] for index in copies]):
        time = packet.pts if packet.dts is None else packet.dts
        if time is None or not packet.size:
            continue
        packet.stream = copies[packet.stream.index]
        yield float(time * packet.time_base), packet
