"""Camera clips on disk, and how they are read, cut and scored: one exact decoder for every method."""

import shutil
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from self2align.evaluation.metrics import psnr, ssim
from self2align.images.files import read_image
from self2align.images.levels import to_levels
from self2align.videos.decoding import decode
from self2align.videos.opening import SUFFIXES
from self2align.videos.pixels import pixels_of

Values = NDArray[np.float32]
Levels = NDArray[np.uint8]
BLOCK = 8  # px a side, of the means that show blotches
MEASURES = ("psnr", "ssim", "blotches")


@dataclass(frozen=True)
class Window:
    """A part of a frame, px; even, as subsampled chroma asks."""

    top: int
    left: int
    height: int
    width: int

    def middle(self) -> "Window":
        """Return the middle quarter."""
        top, left = (side // 8 * 2 for side in (self.height, self.width))
        return Window(self.top + top, self.left + left, self.height // 2, self.width // 2)

    def of(self, frames: np.ndarray) -> np.ndarray:
        """Return the part of frames, ``(..., H, W)``."""
        return frames[..., self.top : self.top + self.height, self.left : self.left + self.width]


def read_clip(path: Path, frames: Sequence[int] | None = None) -> Values:
    """Return frames, ``(T, 3, H, W)``, white being 1.0, neither rounded nor clipped.

    Parameters
    ----------
    path
        Video, or folder whose pictures are frames in the order of their names.
    frames
        Their numbers, rising; None for all.
    """
    found = []
    if path.suffix in SUFFIXES:
        for index, frame in enumerate(decode(path)):
            if frames is None or index in frames:
                codes, coding = pixels_of(path, frame).stored(frame)
                found.append(coding.decode(codes))
            if frames is not None and index >= frames[-1]:
                break
    else:
        files = sorted(path.iterdir())
        for file in files if frames is None else [files[index] for index in frames]:
            codes, white = read_image(file)
            found.append((codes / np.float32(white)).astype(np.float32))
    return np.stack(found)


def cut_clip(path: Path, out: Path, frames: Sequence[int]) -> None:
    """Write some frames of a clip as a clip of their own, without loss: pictures as they are, video as FFV1.

    Parameters
    ----------
    path, out
        Videos, the second a Matroska file; or folders of pictures.
    frames
        Their numbers, rising.

    Raises
    ------
    ValueError
        If the cut does not decode to the very same values.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in SUFFIXES:
        _cut_video(path, out, frames)
    else:
        out.mkdir()
        files = sorted(path.iterdir())
        for index in frames:
            shutil.copy(files[index], out / files[index].name)
    if not np.array_equal(read_clip(out), read_clip(path, frames)):
        raise ValueError(f"{out}: found other values than in {path}, expected the same")


def _cut_video(path: Path, out: Path, frames: Sequence[int]) -> None:
    with av.open(str(path)) as source, av.open(str(out), "w") as target:
        told = source.streams.video[0]
        stream = target.add_stream("ffv1", rate=told.average_rate)
        stream.width, stream.height, stream.pix_fmt = told.width, told.height, told.pix_fmt
        for name in ("color_range", "colorspace", "color_primaries", "color_trc"):
            setattr(stream.codec_context, name, getattr(told.codec_context, name))
        kept = [frame for index, frame in enumerate(source.decode(told)) if index in frames]
        for number, frame in enumerate(kept):
            frame.pts, frame.time_base = number, 1 / told.average_rate
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))


def blotches(result: Levels, clean: Levels) -> float:
    """Return the deviation of 8 px means of the error of R - G, of 255: coloured blotches.

    Parameters
    ----------
    result, clean
        ``(3, H, W)``.
    """
    error = result.astype(np.float64) - clean
    chroma = error[0] - error[1]
    rows, columns = (length // BLOCK for length in chroma.shape)
    blocks = chroma[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK)
    return float(blocks.mean((1, 3)).std())


@dataclass(frozen=True)
class Score:
    """How far a frame is from the clean one: dB, SSIM, and `blotches`."""

    psnr: float
    ssim: float
    blotches: float

    @classmethod
    def of(cls, result: Values, clean: Levels) -> "Score":
        """Return the score of a frame, ``(3, H, W)``, rounded to 8 bits, against the clean one."""
        levels = to_levels(result)
        return cls(psnr(levels, clean), ssim(levels, clean), blotches(levels, clean))

    def cells(self) -> list[str]:
        """Return the values as a file has them, in the order of `MEASURES`."""
        return [f"{value:.4f}" for value in astuple(self)]
