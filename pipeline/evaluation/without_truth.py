"""Measures of denoised recordings that have no clean frames.

Each compares with frames whose noise is independent of what is judged: aligned neighbours, or results of them. Errors
are those that noise alone would give, from sums over blocks, so that noise which neighbouring pixels share counts.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Frames = NDArray[np.float32]
Mask = NDArray[np.bool_]
BLOCK = 16  # px a side; noise is taken to share nothing between blocks
DETAIL = 1.5  # px: standard deviation of the Gaussian that is subtracted from structure
FLAT = 0.1  # share of blocks that are called flat
SHADES = 4  # classes of brightness that each give flat blocks


@dataclass(frozen=True)
class Measured:
    """A value and its standard error."""

    value: float
    error: float


@dataclass(frozen=True)
class FlatNoise:
    """Standard deviation in flat blocks, beside a plane: of noisy frames, of the result, of the frames that chose them.

    The last holds structure and noise of its own; the result is not expected to be below it.
    """

    noisy: float
    denoised: float
    structure: float


@dataclass(frozen=True)
class Shade:
    """A class of brightness: its mean before, and what the result adds to it."""

    brightness: float
    change: Measured


def removed_structure(noisy: Frames, denoised: Frames, structure: Frames, trusted: Mask) -> Measured:
    """Return the correlation of what was taken off with structure, both without what is coarser than a few pixels.

    Noise that is independent of ``structure`` gives 0; detail that was taken off is positive, detail that was added
    (sharpening, ringing) negative. The square is the share of the variance taken off that ``structure`` explains; where
    it is misaligned, too little.

    Parameters
    ----------
    noisy, denoised
        ``(N, C, H, W)``, white being 1.0.
    structure
        The same content with independent noise: results of neighbouring frames, aligned. The result itself will not do:
        the noise that it keeps correlates with the noise that was taken off.
    trusted
        ``(N, H, W)``: where that content is the same.
    """
    inside = trusted[:, None].astype(np.float64)
    removed = _detail(noisy - denoised) * inside
    shown = _detail(structure) * inside
    scale = float(np.sqrt((removed**2).sum() * (shown**2).sum()))
    if scale == 0:
        return Measured(0.0, 0.0)
    sums = _block_sums(removed * shown)
    return Measured(float(sums.sum()) / scale, float(np.sqrt((sums**2).sum())) / scale)


def flat_noise(noisy: Frames, denoised: Frames, structure: Frames) -> FlatNoise:
    """Return what noise is left where nothing is to be seen: the tenth of all blocks that is flattest.

    A block is 16 px a side, less a plane. ``structure`` chooses the blocks, a tenth in each of four classes of
    brightness: noise that is independent of it has no say, as it has where the result itself chooses.

    Parameters
    ----------
    noisy, denoised, structure
        ``(N, C, H, W)``, at least 16 px a side; see `removed_structure`.
    """
    shown, level = _rough(structure)
    shades = np.quantile(level, np.linspace(0, 1, SHADES + 1)[1:-1])
    shade = np.searchsorted(shades, level, side="right")
    chosen = np.zeros(level.shape, bool)
    for number in np.unique(shade):
        within = shade == number
        chosen |= within & (shown <= np.quantile(shown[within], FLAT))
    return FlatNoise(*(float(np.sqrt(_rough(one)[0][chosen].mean())) for one in (noisy, denoised, structure)))


def unsupervised_mse(result: Frames, first: Frames, second: Frames, third: Frames, trusted: Mask) -> Measured:
    """Return the mean squared error of a result, without clean frames (Marcos-Morales et al., ICLR 2023, equation 5).

    ``mean((first - result)^2 - (second - third)^2 / 2)``, where the three are further observations of the same content
    with independent noise of equal variance. Aligned neighbours are so only as far as alignment goes: what it leaves is
    counted as error of the result, less half of what it leaves between second and third. Compare results with each
    other, or with the noisy frames, by `gain`.

    Parameters
    ----------
    result, first, second, third
        ``(N, C, H, W)``.
    trusted
        ``(N, H, W)``: where the content is the same.
    """
    wide = [one.astype(np.float64) for one in (result, first, second, third)]
    return _mean((wide[1] - wide[0]) ** 2 - (wide[2] - wide[3]) ** 2 / 2, trusted)


def gain(noisy: Frames, denoised: Frames, held_out: Frames, trusted: Mask) -> Measured:
    """Return by how much denoising reduced the mean squared error: the difference of `unsupervised_mse` of both.

    One held-out observation is enough, and neither its noise nor its alignment biases the difference, unless detail was
    taken off where it is misaligned.

    Parameters
    ----------
    noisy, denoised
        ``(N, C, H, W)``.
    held_out
        The same content with independent noise, which neither the result nor its training saw.
    trusted
        ``(N, H, W)``: where the content is the same.
    """
    before, after, known = (one.astype(np.float64) for one in (noisy, denoised, held_out))
    return _mean((known - before) ** 2 - (known - after) ** 2, trusted)


def kept_brightness(noisy: Frames, denoised: Frames, structure: Frames, trusted: Mask, classes: int = 8) -> list[Shade]:
    """Return what denoising adds to the mean of each class of brightness: of noise whose mean is 0, nothing.

    Classes have equally many pixels of a blurred ``structure``. Classes of the noisy values would not do: noise
    brings a pixel into a bright class, and its removal lowers the class.

    Parameters
    ----------
    noisy, denoised, structure
        ``(N, C, H, W)``; see `removed_structure`.
    trusted
        ``(N, H, W)``.
    classes
        Number of classes.
    """
    level = _blurred(structure.mean(1, keepdims=True))[:, 0]
    bounds = np.quantile(level[trusted], np.linspace(0, 1, classes + 1)[1:-1])
    shade = np.searchsorted(bounds, level, side="right")
    change = denoised.astype(np.float64) - noisy
    found = []
    for number in range(classes):
        within = trusted & (shade == number)
        if within.any():
            brightness = float(noisy.mean(1)[within].mean())
            found.append(Shade(brightness, _mean(change, within)))
    return found


def _blurred(frames: Frames) -> NDArray[np.float64]:
    """Return frames without what is finer than a few pixels."""
    flat = frames.reshape(-1, *frames.shape[-2:]).astype(np.float64)
    made = np.stack([cv2.GaussianBlur(one, (0, 0), DETAIL, borderType=cv2.BORDER_REFLECT) for one in flat])
    return np.asarray(made.reshape(frames.shape), np.float64)


def _detail(frames: Frames) -> NDArray[np.float64]:
    """Return what `_blurred` takes off."""
    return frames - _blurred(frames)


def _blocks(frames: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return frames in blocks, ``(..., h, w, BLOCK, BLOCK)``; what does not fill a block is zero."""
    *lead, height, width = frames.shape
    rows, columns = -(-height // BLOCK), -(-width // BLOCK)
    room = [(0, 0)] * len(lead) + [(0, rows * BLOCK - height), (0, columns * BLOCK - width)]
    cut = np.pad(frames, room).reshape(*lead, rows, BLOCK, columns, BLOCK)
    return cut.swapaxes(-3, -2)


def _block_sums(products: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sums over blocks and their channels, ``(N, h, w)``."""
    sums: NDArray[np.float64] = _blocks(products).sum((1, -2, -1))
    return sums


def _mean(values: NDArray[np.float64], trusted: Mask) -> Measured:
    """Return the mean of values, ``(N, C, H, W)``, over trusted pixels, and its error."""
    count = int(trusted.sum()) * values.shape[1]
    if count == 0:
        raise ValueError("measures without truth: found no trusted pixel, expected some; do the frames overlap?")
    inside = trusted[:, None]
    mean = float((values * inside).sum() / count)
    sums = _block_sums((values - mean) * inside)
    return Measured(mean, float(np.sqrt((sums**2).sum())) / count)


def _rough(frames: Frames) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the variance of whole blocks beside a plane, and their mean, ``(N, C, h, w)``."""
    height, width = (side - side % BLOCK for side in frames.shape[-2:])
    if min(height, width) == 0:
        found = f"{frames.shape[-1]} x {frames.shape[-2]} px"
        raise ValueError(f"flat places: found frames of {found}, expected at least {BLOCK} px a side")
    blocks = _blocks(frames[..., :height, :width].astype(np.float64))
    mean = blocks.mean((-2, -1))
    ramp = np.arange(BLOCK) - (BLOCK - 1) / 2
    energy = BLOCK * (ramp**2).sum()
    across = (blocks * ramp).sum((-2, -1)) / energy
    down = (blocks * ramp[:, None]).sum((-2, -1)) / energy
    planes = mean[..., None, None] + across[..., None, None] * ramp + down[..., None, None] * ramp[:, None]
    # A plane has three parameters.
    return ((blocks - planes) ** 2).sum((-2, -1)) / (BLOCK**2 - 3), mean
