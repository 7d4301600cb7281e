"""The type of a result: that of its source, or float32 where rounding would lose what denoising gains."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from self2align.denoising.levels import RANGE, frame_noise
from self2align.denoising.scale import sampled
from self2align.media import FLOAT
from self2align.media.medium import Choices, Frames

# Steps of an integer type. Rounding adds 0.29 of noise; denoising leaves about a quarter of the noise, so below
# two steps rounding is more than half of what is left (docs/decisions/denoising-in-tiles.md#type-of-a-result).
COARSE = 2.0
# Of a frame that spans more of them, steps are not seen.
SPAN = 64.0


def result_type(frames: Frames, choices: Choices) -> tuple[str, list[str]]:
    """Return the type of the result of frames, and a line about it where the choice was not told.

    Parameters
    ----------
    frames
        The first, the middle and the last are looked at.
    choices
        ``dtype`` decides, if it is told.
    """
    own = frames.coding.dtype
    if (np.dtype(own).kind == "f" and choices.dtype != FLOAT) or choices.dtype == "same":
        return own, []
    if choices.dtype == FLOAT:
        return FLOAT, []
    if not all(_coarse(frames, index) for index in sampled(frames.count)):
        return own, []
    line = (
        f"written as {FLOAT}: its noise is below {COARSE:g} steps of its values, so that rounding to "
        f"whole numbers would undo the denoising; --dtype same keeps {own}"
    )
    return FLOAT, [line]


def _coarse(frames: Frames, index: int) -> bool:
    """Return whether steps of the stored values are large against the noise of a frame."""
    return is_coarse(frames.decode(index, frames.read(index)), frames.coding.scale, frames.level)


def is_coarse(values: NDArray[np.float32], step: float, sigma: float | None) -> bool:
    """Return whether rounding to steps would undo the denoising of a frame.

    Parameters
    ----------
    values
        ``(C, H, W)``, white being 1.0.
    step
        From one value of the file to the next, white being 1.0.
    sigma
        Standard deviation of the noise, white being 1.0; None to measure it.
    """
    low, high = np.quantile(values, RANGE)
    if not 0 < high - low < SPAN * step:
        return False
    if sigma is None:
        noise = frame_noise(values)
        return not noise.nothing and noise.sigma < COARSE * step
    return sigma < COARSE * step


def rounding_note(source: Path) -> str:
    """Return a line about a file of so few steps whose format holds no floats."""
    return (
        f"{source}: its noise is below {COARSE:g} steps of its values: rounding to whole numbers undoes most of the "
        "denoising; a TIFF file or Zarr array of the same values is written as floats"
    )


def refuse_float(target: Path, choices: Choices) -> None:
    """Refuse floats for a file whose format holds none."""
    if choices.dtype == FLOAT:
        raise ValueError(f"--dtype: found {FLOAT} for {target}, expected same; TIFF files and Zarr arrays hold floats")
