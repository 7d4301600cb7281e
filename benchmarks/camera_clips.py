"""Camera clips on disk, and how they are read and scored: one exact decoder for every method."""

from dataclasses import dataclass
from pathlib import Path

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


def read_clip(path: Path, frames: list[int] | None = None) -> Values:
    """Return frames, ``(T, 3, H, W)``, white being 1.0, neither rounded nor clipped.

    Parameters
    ----------
    path
        Video, or folder whose pictures are frames in the order of their names.
    frames
        Which; None for all.
    """
    found = []
    if path.suffix in SUFFIXES:
        for index, frame in enumerate(decode(path)):
            if frames is None or index in frames:
                codes, coding = pixels_of(path, frame).stored(frame)
                found.append(coding.decode(codes))
        return np.stack(found)
    for index, file in enumerate(sorted(path.iterdir())):
        if frames is None or index in frames:
            codes, white = read_image(file)
            found.append((codes / np.float32(white)).astype(np.float32))
    return np.stack(found)


def blotches(result: Levels, clean: Levels) -> float:
    """Return the deviation of 8 px means of the error of R - G, of 255: coloured blotches.

    Parameters
    ----------
    result, clean
        ``(T, 3, H, W)``.
    """
    error = result.astype(np.float64) - clean
    chroma = error[:, 0] - error[:, 1]
    count, height, width = chroma.shape
    rows, columns = height // BLOCK, width // BLOCK
    blocks = chroma[:, : rows * BLOCK, : columns * BLOCK].reshape(count, rows, BLOCK, columns, BLOCK)
    return float(blocks.mean((2, 4)).std())


@dataclass(frozen=True)
class Score:
    """How far a result is from the clean frames.

    Attributes
    ----------
    psnr, ssim
        Means over frames, dB and 1.
    blotches
        See `blotches`.
    """

    psnr: float
    ssim: float
    blotches: float

    @classmethod
    def of(cls, result: Values, clean: Levels) -> "Score":
        """Return the score of frames, ``(T, 3, H, W)``, rounded to 8 bits, against clean ones."""
        levels = to_levels(result)
        pairs = list(zip(levels, clean, strict=True))
        each = [psnr(one, known) for one, known in pairs]
        likeness = [ssim(one, known) for one, known in pairs]
        return cls(float(np.mean(each)), float(np.mean(likeness)), blotches(levels, clean))

    def cells(self) -> list[str]:
        """Return the values as a table has them."""
        return [f"{self.psnr:.3f}", f"{self.ssim:.4f}", f"{self.blotches:.3f}"]
