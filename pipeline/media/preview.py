"""A quick look: some frames of a crop, noisy and denoised, side by side on one picture."""

from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.denoising.frames import Kept
from self2align.denoising.levels import Sigma
from self2align.denoising.strength import BT709, Strength
from self2align.media.finishing import finish_series
from self2align.media.footage import footage
from self2align.media.jobs import Job
from self2align.media.medium import Medium, Pictures
from self2align.media.video import VideoFile
from self2align.runtime.disk import partial_of
from self2align.runtime.progress import Progress, ignore
from self2align.runtime.spacing import evenly_spaced

CROP = (240, 320)  # px, at the middle: a row of two fits any screen pixel by pixel, and takes seconds
APART = 12  # frames from one that is shown to the next: near the start, so that little is read
GAP = 8  # px between pictures
STRETCHED = 0.001  # share of the values at either end that stacks and arrays are stretched beyond

Frame = NDArray[np.float32]


def preview_of(output: Path, jobs: Sequence[Job]) -> Path:
    """Return the path of the preview of a result: beside it, so that the result stays as it is.

    Raises
    ------
    ValueError
        If a preview there would be taken for one of the pictures.
    """
    place = output.with_name(f"{output.stem or output.name}.preview.png")
    if any(job.source.resolve() == place.resolve() for job in jobs) or (
        len(jobs) > 1 and any(job.source.parent.resolve() == place.parent.resolve() for job in jobs)
    ):
        raise ValueError(
            f"{place}: found the preview's place among the pictures, expected an output in another folder than theirs"
        )
    return place


def looked_at(jobs: list[Job], count: int, radius: int) -> list[Job]:
    """Return the files that a preview of so many frames needs; pictures with neighbours need all of their footage."""
    pictures = jobs[0].kind in ("image", "tiff")
    return jobs if radius and pictures else [jobs[at] for at in evenly_spaced(len(jobs), count)]


def preview(
    media: list[tuple[Job, Medium]],
    denoise: Kept,
    strength: Strength,
    count: int,
    place: Path,
    progress: Progress = ignore,
) -> NDArray[np.uint8]:
    """Return the picture: a row for each frame, noisy on the left, denoised on the right.

    Parameters
    ----------
    media
        See `self2align.media.run.open_media`.
    denoise
        Denoises frames. The noise is measured on the crop.
    strength
        How much of the noise is taken off.
    count
        Frames, ``APART`` from one to the next; of several files, of each its share. Shorter footage has fewer.
    place
        Path of the preview.
    progress
        Called with frames done, of all.

    Returns
    -------
    ndarray
        ``(H, W, C)``, C = 1 or 3. Pictures and video are shown as they are; the values of stacks and arrays are
        stretched to the range of the noisy frames, both sides alike.
    """
    groups = footage(media) if denoise.radius else [[one] for one in media]
    chosen = [groups[at] for at in evenly_spaced(len(groups), count)]
    shares = [len(part) for part in np.array_split(np.arange(count), len(chosen))]
    pairs: list[tuple[Frame, Frame]] = []
    for members, share in zip(chosen, shares, strict=True):
        medium = members[0][1]
        look = _Look(denoise, share, sum(one.count for _, one in members))
        _run([one for _, one in members], look, partial_of(place))
        weights = medium.pixels.weights if isinstance(medium, VideoFile) else BT709
        for noisy, clean in look.pairs():
            pairs.append((noisy, strength.mixed(noisy, clean, weights)))
            progress(len(pairs), count)
    return _sheet(pairs, stretched=media[0][0].kind in ("tiff", "zarr"))


def _run(members: list[Medium], look: "_Look", nowhere: Path) -> None:
    """Read the frames of one file, or the pictures of one footage, as for denoising, and write none.

    Parameters
    ----------
    members, look
        The files, and what takes their frames.
    nowhere
        Path of a folder of finished frames that is not there, since there are none.
    """
    if len(members) == 1:
        members[0].work(nowhere, look, ignore)
    else:
        stills = [one.still() for one in members if isinstance(one, Pictures)]
        finish_series([(still, nowhere) for still in stills], look, ignore)


class _Look(Kept):
    """Holds the crops that a preview needs, and gives back no frame: whoever writes frames has none to write.

    Parameters
    ----------
    denoise
        Denoises the crops.
    count
        Frames to show.
    total
        Frames that there are.
    """

    def __init__(self, denoise: Kept, count: int, total: int) -> None:
        super().__init__(denoise.denoise)
        self.shown = evenly_spaced(min(total, APART * (count - 1) + 1), count).tolist()
        self.last = self.shown[-1] + self.radius
        self.crops: dict[int, Frame] = {}
        self.sigma: Sigma | None = None
        self.colours = True

    def __call__(
        self,
        frames: Iterator[Frame],
        progress: Progress | None = None,
        sigma: Sigma | None = None,
        colours: bool = True,
    ) -> Iterator[Frame]:
        """Take the crops of the frames to show and of their neighbours."""
        self.sigma, self.colours = sigma, colours
        for number, frame in enumerate(frames):
            if any(abs(number - one) <= self.radius for one in self.shown):
                self.crops[number] = _middle(frame)
            if number >= self.last:
                break
        yield from ()

    def pairs(self) -> Iterator[tuple[Frame, Frame]]:
        """Yield each frame to show, ``(C, H, W)``: as it was and denoised."""
        for one in self.shown:
            near = [number for number in sorted(self.crops) if abs(number - one) <= self.radius]
            clean = super().__call__((self.crops[number] for number in near), None, self.sigma, self.colours)
            yield self.crops[one], next(islice(clean, near.index(one), None))


def _middle(frame: Frame) -> Frame:
    """Return a copy of the middle of a frame, ``(C, H, W)``."""
    starts = [max(0, length - most) // 2 for length, most in zip(frame.shape[1:], CROP, strict=True)]
    (top, left), (height, width) = starts, CROP
    return frame[:, top : top + height, left : left + width].copy()


def _sheet(pairs: Sequence[tuple[Frame, Frame]], stretched: bool) -> NDArray[np.uint8]:
    noisy = np.concatenate([one[np.isfinite(one)] for one, _ in pairs])
    low, high = np.quantile(noisy, (STRETCHED, 1 - STRETCHED)) if stretched and noisy.size else (0.0, 1.0)
    colours = 3 if any(len(one) == 3 for one, _ in pairs) else 1
    rows = [np.concatenate([_shown(one, low, high, colours) for one in pair], axis=1) for pair in pairs]
    width = max(row.shape[1] for row in rows)
    filled = [np.pad(row, ((0, GAP), (0, width - row.shape[1]), (0, 0)), constant_values=255) for row in rows]
    return np.concatenate(filled)[:-GAP, :-GAP]


def _shown(frame: Frame, low: float, high: float, colours: int) -> NDArray[np.uint8]:
    """Return a frame as pixels, ``(H, W + GAP, C)``; of other than gray or RGB the first channel."""
    part: NDArray[Any] = frame if len(frame) == 3 else frame[:1]
    levels = np.nan_to_num((part - low) / max(high - low, 1e-12), nan=0.0, posinf=1.0, neginf=0.0)
    pixels = np.rint(255 * levels.clip(0, 1)).astype(np.uint8)
    pixels = np.broadcast_to(pixels, (colours, *pixels.shape[1:])).transpose(1, 2, 0)
    return np.pad(pixels, ((0, 0), (0, GAP), (0, 0)), constant_values=255)
