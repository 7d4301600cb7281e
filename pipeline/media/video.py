"""Videos, denoised in segments while they are decoded."""

from collections import deque
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import inf
from pathlib import Path
from typing import Any

import numpy as np

from self2align.denoising.frames import DenoiseFrames, Kept, Unclipped
from self2align.media.containers import CONTAINERS, ENCODERS, default_codec, encoder_options
from self2align.media.medium import Choices, check_channels, check_size, coding_of
from self2align.media.pixels import frame_of
from self2align.media.remux import check_container, remux
from self2align.media.rounding import is_coarse, refuse_float, rounding_note
from self2align.media.segments import Encoding, SegmentEncoder
from self2align.media.spans import SEGMENT
from self2align.media.trust import has_map, save_map
from self2align.runtime.progress import Progress, ignore
from self2align.runtime.sealed import is_whole
from self2align.stores.codes import Coding
from self2align.videos.decoding import Damage, decode
from self2align.videos.opening import find_footage, opened
from self2align.videos.pixels import Values, pixels_of
from self2align.videos.tags import FIELDS, chroma_location, display_matrix, frame_data
from self2align.videos.timing import look_through

_ANY = (-inf, inf)


@dataclass(frozen=True)
class _Read:
    """A decoded frame, its values, ``(C, H, W)``, and when it is shown, in ticks."""

    frame: Any
    noisy: Values
    time: int


class VideoFile:
    """A video; sound, subtitles, time stamps, rotation and metadata are kept. See `Medium`.

    Frames are read one by one; finished ones are stored encoded.
    """

    lines = 1
    reading = ""

    def __init__(self, source: Path, target: Path, choices: Choices, progress: Progress = ignore) -> None:
        choices.refuse(source, "axes")
        refuse_float(target, choices)
        suffix = target.suffix.lower()
        if suffix not in CONTAINERS:
            expected = ", ".join(sorted(CONTAINERS))
            raise ValueError(f"{target}: found suffix {target.suffix!r}, expected one of {expected}")
        if choices.codec is not None and choices.codec not in ENCODERS:
            raise ValueError(f"codec: found {choices.codec!r}, expected one of {', '.join(sorted(ENCODERS))}")
        self.source, self.target, self.skips = source, target, choices.skip_damaged
        with closing(decode(source, self._damage())) as frames:
            first = next(frames)
        self.pixels = pixels_of(source, first)
        codec = choices.codec or default_codec(suffix, self.pixels.bits)
        options = encoder_options(codec, choices.crf, choices.preset)
        self.coding = coding_of(source, np.dtype(self.pixels.dtype), choices)
        self.level = None if choices.sigma is None else choices.sigma * self.coding.scale
        check_size(source, self.pixels.channels, first.height, first.width)
        check_channels(source, self.pixels.channels, choices)
        choices.fits(source, self.pixels.channels, first.height, first.width)
        self.pattern, self.strength, self.trust = choices.pattern, choices.strength, choices.trust
        self.matrix = display_matrix(first)
        with opened(source) as container:
            streams = find_footage(source, container)
            stream: Any = container.streams[streams.index]
            self.index, location = streams.index, chroma_location(source, streams.index)
            # A damaged frame is to be known before the work, not after most of it; decoding is a small part of that.
            damage = self._damage()
            self.course = look_through(source, damage, progress)
            self.count = len(self.course.times)
            self.encoding = Encoding.like(codec, stream, first, self.course.interlaced, location, options=options)
        self.rate: Fraction | None = self.encoding.rate
        left_out = check_container(source, self.index, target, self.encoding, self.matrix)
        skipped = [] if damage is None else [f"left out: {what}" for what in damage.notes]
        lost = [f"not written: its {what}" for what in frame_data(first)]
        notes = (*skipped, *streams.notes, *left_out, *lost, *self.encoding.losses(first), *self._of_fields())
        self.notes = [f"{source}: {what}" for what in notes] + choices.gray(source, self.pixels.channels)
        step = 1 / (2**self.pixels.bits - 1)
        if is_coarse(self.pixels.values(first, Coding(self.pixels.dtype, 1 / self.pixels.white)), step, self.level):
            self.notes.append(rounding_note(source))

    def _damage(self) -> Damage | None:
        return Damage() if self.skips else None

    def _of_fields(self) -> list[str]:
        """Return a line on interlaced footage."""
        if not self.course.interlaced:
            return []
        kept = self.encoding.fields in FIELDS
        order = "their order is kept" if kept else "not written: their order, which the file does not say"
        return [f"its fields are interlaced, and are denoised and written as whole frames; {order}"]

    def work(self, scratch: Path, denoise: DenoiseFrames, progress: Progress, span: range | None = None) -> None:
        """See `Medium`."""
        span = span or range(self.count)
        segments = range(span.start // SEGMENT, -(-span.stop // SEGMENT))
        begun = next((at for at in segments if not self._is_finished(scratch, at)), None)
        if begun is None:
            return
        done = begun * SEGMENT
        first, stop = max(0, done - denoise.radius), span.stop + denoise.radius
        waiting: deque[_Read] = deque()  # frames that were read but not yet denoised
        encoder: SegmentEncoder | None = None
        ends = self._ends(denoise)
        mixed = self.strength.over(denoise, self.pixels.weights)
        for number, clean in enumerate(mixed(self._noisy(first, stop, waiting, ends), None, self.level), first):
            read = waiting.popleft()
            if number < done:
                continue
            if number == span.stop:
                break
            if encoder is None:
                encoder = SegmentEncoder(self.encoding)
            frame = frame_of(self.pixels, read.frame, read.noisy, clean, self.coding, self.encoding)
            encoder.add(frame, read.time)
            if self.trust is not None:
                save_map(scratch, number, self.trust.map)
            progress(number + 1, self.count)
            if (number + 1) % SEGMENT == 0:
                encoder.finish(self.course.last).save(_place(scratch, number // SEGMENT))
                encoder = None
        if encoder is not None:
            encoder.finish(self.course.last).save(_place(scratch, number // SEGMENT))

    def _is_finished(self, scratch: Path, segment: int) -> bool:
        frames = range(segment * SEGMENT, min((segment + 1) * SEGMENT, self.count))
        maps = self.trust is None or all(has_map(scratch, number) for number in frames)
        return maps and is_whole(_place(scratch, segment))

    def _ends(self, denoise: DenoiseFrames) -> tuple[float, float]:
        """Return the range of values that a denoiser expects: where it undoes clipping, that of RGB footage."""
        inner = denoise.denoise if isinstance(denoise, Kept) else denoise
        if not isinstance(inner, Unclipped):
            return _ANY
        white = np.iinfo(self.pixels.dtype).max * self.coding.scale
        return 0.0 if inner.clipping.low else -inf, white if inner.clipping.high else inf

    def _noisy(self, first: int, stop: int, waiting: deque["_Read"], ends: tuple[float, float]) -> Iterator[Values]:
        """Yield frames ``first`` to ``stop``, ``(C, H, W)``, limited to a range, and note them as they are."""
        with closing(decode(self.source, self._damage())) as frames:
            for frame, time in islice(zip(frames, self.course.times, strict=True), first, stop):
                noisy = self.pixels.values(frame, self.coding)
                waiting.append(_Read(frame, noisy, time))
                if self.pattern is not None:
                    noisy = self.pattern.off(noisy, self.coding)
                yield noisy if ends == _ANY else noisy.clip(*ends)

    def assemble(self, scratch: Path, made: Path) -> None:
        """See `Medium`."""
        remux(self.source, self.index, self.target, made, self.encoding, self.matrix, _segments(scratch))


def _place(scratch: Path, number: int) -> Path:
    return scratch / f"{number:08d}.safetensors"


def _segments(scratch: Path) -> list[Path]:
    return sorted(scratch.glob("*.safetensors"))
