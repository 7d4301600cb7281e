"""Finished frames of unfinished work, each in a file of its own: a kill loses only the current one."""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.denoising.frames import DenoiseFrames
from self2align.media.medium import Frames
from self2align.media.trust import has_map, save_map
from self2align.runtime.disk import check_room
from self2align.runtime.progress import Progress
from self2align.runtime.sealed import is_whole, save_array

Wanted = tuple[Frames, int, Path]  # a frame, by file and number, and the folder of its result


def finish_frames(
    frames: Frames, scratch: Path, denoise: DenoiseFrames, progress: Progress, span: range | None = None
) -> None:
    """Denoise the unfinished frames, of a span or all; a kill loses only the current one."""
    _finish([(frames, index, scratch) for index in range(frames.count)], denoise, progress, span)


def finish_series(pictures: Sequence[tuple[Frames, Path]], denoise: DenoiseFrames, progress: Progress) -> None:
    """Denoise single pictures as frames of footage, each in its own folder; see `finish_frames`."""
    coding = pictures[0][0].coding  # one scale for all: levels and brightness are compared
    alike = [(replace(one, coding=coding) if one.coding.dtype == coding.dtype else one, at) for one, at in pictures]
    _finish([(picture, 0, scratch) for picture, scratch in alike], denoise, progress)


def _finish(wanted: Sequence[Wanted], denoise: DenoiseFrames, progress: Progress, span: range | None = None) -> None:
    span = span or range(len(wanted))
    count = span.stop
    done = next((at for at in span if not _is_finished(wanted[at])), count)
    if done == count:
        return
    first = max(0, done - denoise.radius)
    held: deque[NDArray[Any]] = deque()  # frames as stored, read but not yet denoised

    def noisy() -> Iterator[NDArray[np.float32]]:
        for number, (frames, index, scratch) in enumerate(wanted[first : count + denoise.radius], first):
            held.append(frames.read(index))
            if number == done:
                left = (count - done) * held[-1].size * np.dtype(frames.coding.dtype).itemsize
                check_room(scratch, left, f"{count - done} finished frames")
            yield frames.decode(index, held[-1])

    # For a single frame, progress counts tiles.
    shown = progress if len(wanted) == 1 else None
    told = wanted[0][0]  # the same choices for all
    colours = all(frames.colours for frames, _, _ in wanted)
    for at, values in enumerate(told.strength.over(denoise)(noisy(), shown, told.level, colours), first):
        stored = held.popleft()
        if at < done:
            continue
        if at == count:
            break
        frames, index, scratch = wanted[at]
        if frames.trust is not None:
            save_map(scratch, index, frames.trust.map)
        save_array(_place(scratch, index), frames.encode(values, stored))
        if len(wanted) > 1:
            progress(at + 1, count)


def _is_finished(one: Wanted) -> bool:
    frames, index, scratch = one
    return is_whole(_place(scratch, index)) and (frames.trust is None or has_map(scratch, index))


def finished_frame(scratch: Path, index: int) -> NDArray[Any]:
    """Return a finished frame, ``(C, H, W)``, as it will be stored; memory-mapped."""
    frame: NDArray[Any] = np.load(_place(scratch, index), mmap_mode="r", allow_pickle=False)
    return frame


def _place(scratch: Path, index: int) -> Path:
    return scratch / f"{index:08d}.npy"
