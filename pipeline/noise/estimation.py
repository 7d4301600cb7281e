"""The noise of footage, estimated from noisy frames alone.

The model is that of Foi et al. (2008), equation 1: a pixel of expected value x has noise of variance ``a x + b``, shot
noise of gain a and read noise of variance b. Frames are cut into blocks of 8 x 8 px and transformed (DCT). Among
blocks of like brightness those with the least power at low frequencies are the flattest, and under white noise say
nothing of their own high frequencies, whose power is the noise's variance (Ponomarenko et al. 2007): choosing
the flattest blocks by their whole variance would choose blocks whose noise happens to be small.

What it cannot know:

- Where nothing is flat (grass, gravel), texture is taken for noise: up to a third too much at sigma 10, and
  correlation is seen that is the texture's.
- Under correlated noise (demosaicing, compression) low frequencies are extrapolated from middle ones: of demosaiced
  frames sigma is found a quarter too small, and correlation over more than 2 px is hardly seen. Nor is what a codec
  does to noise from frame to frame.
- The straight line assumes that pixels are proportional to light: gamma bends it, and channels are taken together.
- A pattern that is fixed to the sensor and a scene that stands still look alike: give frames between which the scene
  has moved.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

SIDE = 8  # px, of a block
SHIFT = 3  # px: away from the 8 x 8 grid of codecs, whose quantisation the same transform would see
BLOCKS = 100_000  # as many are looked at, evenly spaced
PER_CLASS = 256  # blocks, at the least, in a class of brightness
CLASSES = 16
FLAT, FEWEST = 0.05, 64  # the least share, and the least number, of the blocks of a class that are measured
STEADY = 0.2  # share of the places that is measured for what frames share
CLIPPED = 0.005  # of the pixels at an end of the range, and a class is not used: it bends the variance by 2 %
TUKEY = 4.685  # 95 % efficiency under Gaussian errors (Holland and Welsch 1977)
NOTHING = 1e-12  # variance; that of rounding to 16 bits is twenty times as much
# Photographs in motion with noise of sigma 5 to 25: white noise gives 0.9 to 1.2 (at most 2 on gravel, whose texture
# it is), noise blurred by 0.5 px 1.6 to 2.1, bilinear demosaicing 4 to 5.
UNEVEN = 1.5
FIXED = 0.02  # of the variance; the same photographs without a fixed pattern give at most 0.01

_ORDER = np.add.outer(np.arange(SIDE), np.arange(SIDE))
LOW, MIDDLE, HIGH = (_ORDER > 0) & (_ORDER <= 4), (_ORDER > 4) & (_ORDER < 9), _ORDER >= 9

Values = NDArray[np.float32]


@dataclass(frozen=True)
class NoiseEstimate:
    """The noise of footage; values are in units of white (1.0).

    Attributes
    ----------
    sigma
        Standard deviation, over all brightnesses that the footage has.
    level
        Mean value of the footage.
    gain
        a of ``a x + b``: from 0.
    read
        b, the variance at black, rounding included. Negative where black is held above 0 (a camera's pedestal).
    rounding
        The part of b that rounding to codes makes: a twelfth of the square of a step.
    unevenness
        Power at middle over power at high spatial frequencies: 1 for white noise.
    fixed
        Share of the noise's variance that far-apart frames have in common; None for a single frame.
    clipped
        Shares of the pixels at the lowest and the highest value.
    """

    sigma: float
    level: float
    gain: float
    read: float
    rounding: float
    unevenness: float
    fixed: float | None
    clipped: tuple[float, float]
    certain: bool = True

    @property
    def correlated(self) -> bool:
        """Return whether neighbouring pixels share noise, as demosaicing and compression make them."""
        return self.unevenness > UNEVEN

    @property
    def fixed_pattern(self) -> bool:
        """Return whether frames share a pattern, which pairs of frames cannot remove."""
        return self.fixed is not None and self.fixed > FIXED

    @property
    def kind(self) -> str:
        """Return the model that fits: "gaussian" where, at the footage's mean, a fifth or less is shot noise."""
        shot, read = self.gain * self.level, max(self.read - self.rounding, 0.0)
        if shot <= 0.2 * (shot + read):
            return "gaussian"
        return "poisson" if read <= 0.05 * shot else "poisson_gaussian"

    def scaled(self, factor: float) -> "NoiseEstimate":
        """Return the same noise where values are so many times as large."""
        return replace(
            self,
            sigma=self.sigma * factor,
            level=self.level * factor,
            gain=self.gain * factor,
            read=self.read * factor**2,
            rounding=self.rounding * factor**2,
        )

    def variance(self, values: Values) -> Values:
        """Return the variance of the noise at expected values; nowhere less than that of rounding."""
        line: Values = np.float32(self.gain) * values + np.float32(self.read)
        return np.maximum(line, np.float32(self.rounding))


def estimate_noise(frames: Values, step: float = 0.0) -> NoiseEstimate:
    """Estimate the noise of some frames of one scene.

    Parameters
    ----------
    frames
        ``(T, C, H, W)``, white being 1.0, as the camera or codec left them; the further apart, the better.
    step
        Distance of two codes, white being 1.0; 0 for values that are not rounded.

    Raises
    ------
    ValueError
        When the frames are smaller than a block.
    """
    height, width = frames.shape[-2:]
    if min(height, width) < SIDE + SHIFT:
        raise ValueError(
            f"frames: found {height} x {width} px, expected at least {SIDE + SHIFT} px each way to estimate noise"
        )
    ends = float(frames.min()), float(frames.max())
    blocks = _blocks(frames)
    waves = _transform(blocks)
    means = waves[..., 0, 0].ravel() / np.float32(SIDE)
    levels, variances, spectra, counts = _classes(blocks, waves, means, ends)
    shape, unevenness = _spectrum(spectra, variances)
    if unevenness > UNEVEN:
        variances = variances * shape.mean()
    gain, read = _line(levels, variances, counts)
    rounding = step**2 / 12
    spread = np.maximum(gain * means + read, rounding)
    return NoiseEstimate(
        sigma=float(np.sqrt(spread.mean())),
        level=float(means.mean()),
        gain=gain,
        read=read,
        rounding=rounding,
        unevenness=unevenness,
        fixed=_shared(waves) if len(frames) > 1 else None,
        clipped=(float((frames == ends[0]).mean()), float((frames == ends[1]).mean())),
    )


def too_small(frame: Values) -> bool:
    """Return whether frames ``(..., H, W)`` are too small to estimate their noise."""
    height, width = frame.shape[-2:]
    return bool(min(height, width) < SIDE + SHIFT)


def shared_noise(frames: Values) -> float:
    """Return the share of the noise's variance that some frames, ``(T, C, H, W)``, have in common.

    Of neighbours in a moving scene it is what a codec or the camera's own filter takes from one frame into the next.
    """
    return _shared(_transform(_blocks(frames)))


def code_step(codes: NDArray[np.integer]) -> int:
    """Return the distance that all codes keep: 16 for 12 bits that are held in the upper bits of 16."""
    found = np.unique(codes).astype(np.int64)
    return int(np.gcd.reduce(np.diff(found))) if len(found) > 1 else 1


def _blocks(frames: Values) -> Values:
    """Return blocks of the frames, the same places in all, ``(T, C, P, 8, 8)``."""
    count, channels, height, width = frames.shape
    rows, columns = (height - SHIFT) // SIDE, (width - SHIFT) // SIDE
    cut = frames[..., SHIFT : SHIFT + SIDE * rows, SHIFT : SHIFT + SIDE * columns]
    grid = cut.reshape(count, channels, rows, SIDE, columns, SIDE).swapaxes(3, 4)
    blocks = grid.reshape(count, channels, rows * columns, SIDE, SIDE)
    return blocks[:, :, :: -(-count * channels * rows * columns // BLOCKS)]


def _transform(blocks: Values) -> Values:
    """Return the orthonormal DCT-II of each block."""
    place = np.arange(SIDE)
    basis = np.sqrt(2 / SIDE) * np.cos(np.pi * place[:, None] * (2 * place + 1) / (2 * SIDE))
    basis[0] /= np.sqrt(2)
    matrix = basis.astype(np.float32)
    waves: Values = matrix @ blocks @ matrix.T
    return waves


def _classes(
    blocks: Values, waves: Values, means: Values, ends: tuple[float, float]
) -> tuple[Values, Values, Values, Values]:
    """Measure the flattest blocks of each class of brightness.

    Returns
    -------
    levels, variances, spectra, counts
        Of each class that is not clipped: mean value, power at high frequencies, power of each frequency, blocks.
    """
    flat_blocks, powers = blocks.reshape(-1, SIDE, SIDE), waves.reshape(-1, SIDE, SIDE) ** 2
    low = powers[:, LOW].mean(1)
    classes = int(np.clip(len(means) // PER_CLASS, 1, CLASSES))
    rows = []
    for members in np.array_split(np.argsort(means, kind="stable"), classes):
        order = members[np.argsort(low[members], kind="stable")]
        count = max(round(FLAT * len(order)), min(FEWEST, len(order)))
        # As many more as hold no more power at low frequencies than white noise does: half of those without texture.
        count = max(count, int(np.searchsorted(low[order], _power(powers[order[:count]].mean(0)))))
        flat = order[:count]
        pixels, spectrum = flat_blocks[flat], powers[flat].mean(0)
        clipped = float(((pixels <= ends[0]) | (pixels >= ends[1])).mean())
        rows.append((clipped, means[flat].mean(), _power(spectrum), spectrum, count))
    most = max(CLIPPED, min(row[0] for row in rows))
    _, levels, variances, spectra, counts = zip(*(row for row in rows if row[0] <= most), strict=True)
    return np.array(levels), np.array(variances), np.array(spectra), np.array(counts)


def _power(spectrum: Values) -> float:
    """Return the power at high frequencies: their median, as some may hold a regular texture, or by a codec nothing."""
    return float(np.median(spectrum[HIGH]))


def _spectrum(spectra: Values, variances: Values) -> tuple[Values, float]:
    """Return the noise's power by frequency over that at high ones, ``(8, 8)``, and its unevenness.

    They are taken where they are most even, in a quarter of the classes: texture is mostly low frequencies.
    """
    relative = (spectra + NOTHING) / (variances + NOTHING)[:, None, None]
    tilts = relative[:, MIDDLE].mean(1)
    best = np.argsort(tilts, kind="stable")[: -(-len(tilts) // 4)]
    shape = relative[best].mean(0)
    unevenness = float(shape[MIDDLE].mean())
    # At low frequencies blocks were chosen for having little, and scenes have most: the next frequencies stand in.
    shape[_ORDER <= 4] = shape[_ORDER == 5].mean()
    return shape, unevenness


def _line(levels: Values, variances: Values, counts: Values) -> tuple[float, float]:
    """Fit ``variance = a level + b``, robustly: a from 0, and no variance below 0 at the darkest level."""
    dark = float(levels.min())
    x, y = levels.astype(np.float64) - dark, variances.astype(np.float64)
    expected = np.sqrt(2 / (counts * HIGH.sum()))  # relative error of a mean of so many squares
    slope, height = _robust_start(x, y)
    for _ in range(20):
        fitted = np.maximum(slope * x + height, 1e-3 * float(y.mean()) + NOTHING)
        error = (y - fitted) / fitted
        scale = np.maximum(1.4826 * np.median(np.abs(error)), expected)
        trust = np.clip(1 - (error / (TUKEY * scale)) ** 2, 0, None) ** 2
        slope, height = _least_squares(x, y, trust * counts / fitted**2)
    return slope, height - slope * dark


def _robust_start(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[float, float]:
    """Return the line of median slope (Theil 1950, Sen 1968), from 0."""
    first, second = np.triu_indices(len(x), 1)
    apart = x[second] - x[first]
    known = apart != 0
    slopes = (y[second] - y[first])[known] / apart[known]
    slope = max(float(np.median(slopes)), 0.0) if slopes.size else 0.0
    return slope, max(float(np.median(y - slope * x)), 0.0)


def _least_squares(x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64]) -> tuple[float, float]:
    """Return slope and height of the weighted least squares, neither below 0."""
    if not weight.sum():
        return 0.0, float(np.median(y))
    mean_x, mean_y = np.average(x, weights=weight), np.average(y, weights=weight)
    power = float(weight @ (x - mean_x) ** 2)
    slope = float(weight @ ((x - mean_x) * (y - mean_y))) / power if power else 0.0
    height = float(mean_y - slope * mean_x)
    if slope < 0:
        return 0.0, float(mean_y)
    if height < 0:
        return float(weight @ (x * y)) / float(weight @ x**2), 0.0
    return slope, height


def _shared(waves: Values) -> float:
    """Return the mean correlation of the residuals of two frames, at the places that are flattest in all of them."""
    frames = len(waves)
    low = (waves[..., LOW] ** 2).mean((0, 3)).ravel()
    steady = np.argsort(low, kind="stable")[: max(1, round(STEADY * low.size))]
    residuals = waves.reshape(frames, -1, SIDE, SIDE)[:, steady][..., ~(_ORDER <= 4)].reshape(frames, -1)
    norms = np.sqrt((residuals**2).sum(1, keepdims=True))
    unit = residuals / np.maximum(norms, np.finfo(np.float32).tiny)
    return float((unit @ unit.T)[np.triu_indices(frames, 1)].mean())
