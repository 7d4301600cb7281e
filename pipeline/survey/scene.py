"""A survey of one scene: its noise, motion and brightness, and which of its frames say something."""

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray

from self2align.alignment.dis import Dis
from self2align.measuring.profile import measure_profile
from self2align.measuring.scenes import middle
from self2align.noise.estimation.estimate import NoiseEstimate, code_step, estimate_noise, shared_noise
from self2align.noise.estimation.views import SHIFT, SIDE
from self2align.noise.outliers import filled, isolated
from self2align.noise.profile import NoiseProfile
from self2align.pairs.evidence import Evidence, judge
from self2align.sources.mending import BEYOND
from self2align.stores.scene import Scene

LAGS = (1, 2, 4)  # distances in frames at which shared noise is measured
TARGETS = 3  # frames whose noise is measured between aligned ones
NOISE_STEP = 4  # the noise is estimated from every fourth frame
BLUR = 2.0  # px, before the motion is estimated: only its length is needed, not its edges


@dataclass(frozen=True)
class SceneSurvey:
    """Survey of one scene, from its first frames.

    Attributes
    ----------
    name
        Name within its source.
    height, width
        px.
    gray
        Whether all channels are equal.
    bits
        Number of bits that the values use; 32 for floats.
    white
        The value of its type that stands for 1.0: 255, 65535 or 1.
    brightest
        The highest value; white is 1.0.
    motion
        Median and 95 % quantile of the motion from one frame to the next, px.
    noise
        The noise of its frames.
    shared
        Shares of the noise's variance that frames 1, 2 and 4 apart have in common (`LAGS`; fewer in a short scene).
    frames
        Two neighbouring frames, ``(2, C, H, W)``, C = 1 for gray.
    evidence
        Which of its frames say something.
    outliers
        Single values far beyond all others: hot pixels, cosmic rays.
    interlaced
        Whether frames are of two fields.
    profile
        The noise as it is between aligned frames, where pixels share it; None where they do not.
    """

    name: str
    height: int
    width: int
    gray: bool
    bits: int
    white: float
    brightest: float
    motion: tuple[float, float]
    noise: NoiseEstimate
    shared: tuple[float, ...]
    frames: NDArray[np.float32]
    interlaced: bool = False
    evidence: Evidence = field(default_factory=lambda: Evidence(()))
    outliers: int = 0
    profile: NoiseProfile | None = None


def survey_scene(scene: Scene) -> SceneSurvey:
    """Survey a scene.

    Raises
    ------
    ValueError
        If its frames are too small for a noise estimate, or hold values that are not finite.
    """
    codes = scene.frames
    *_, height, width = codes.shape
    if min(height, width) < SIDE + SHIFT:
        raise ValueError(f"{scene.name}: found {height} x {width} px, expected at least {SIDE + SHIFT} px each way")
    gray = bool((codes == codes[:, :1]).all())
    values = scene.coding.decode(codes[:, :1] if gray else codes)
    values, outliers = _without_outliers(scene.name, values)
    line = estimate_noise(values[::NOISE_STEP]).line(values)
    evidence = judge(iter(values), line)
    if not evidence.kept:
        raise ValueError(f"{scene.name}: found frames of one value, expected footage with something to see")
    if len(evidence.kept) > 1:
        values = values[list(evidence.kept)]
    bits, step = _bits_and_step(scene)
    noise = estimate_noise(values[::NOISE_STEP], step)
    return SceneSurvey(
        name=scene.name,
        height=height,
        width=width,
        gray=gray,
        bits=bits,
        white=scene.white,
        brightest=float(values.max()),
        motion=_motion(values),
        noise=noise,
        shared=tuple(shared_noise(values[[0, lag]]) for lag in LAGS if lag < len(values)),
        frames=values[:2].copy(),
        interlaced=scene.interlaced,
        evidence=evidence,
        outliers=outliers,
        profile=measure_profile(lambda at: middle(values[at]), len(values), TARGETS) if noise.correlated else None,
    )


def _without_outliers(name: str, values: NDArray[np.float32]) -> tuple[NDArray[np.float32], int]:
    """Return values without single pixels far off all others, and the number of these; refuse what is not finite."""
    known = np.isfinite(values)
    if not known.all():
        number = int(np.argmin(known.all((1, 2, 3))))
        raise ValueError(
            f"{name}: found {int((~known[number]).sum())} values that are not finite in frame {number}, expected "
            "finite ones for training: crop or fill them (denoise leaves such values as they are)"
        )
    far = np.stack([isolated(frame) for frame in values])
    if not far.any() or far.all():
        return values, 0
    far &= np.abs(values) > BEYOND * np.abs(values[~far]).max()
    return np.stack([filled(*one) for one in zip(values, far, strict=True)]), int(far.sum())


def _bits_and_step(scene: Scene) -> tuple[int, float]:
    """Return the bits that the values of a scene use, 32 for floats, and the distance of two values; white is 1.0."""
    if scene.bits is not None:
        return scene.bits, 2.0**-scene.bits
    if not np.issubdtype(scene.frames.dtype, np.integer):
        return 32, 0.0
    step = code_step(scene.frames[0])
    return round(np.log2((scene.white + 1) / step)), step / scene.white


def _motion(values: NDArray[np.float32]) -> tuple[float, float]:
    """Return median and 95 % quantile of the motion between neighbouring frames, px.

    Repeated frames, as in a film that was converted to a higher frame rate, are left out.
    """
    flow = Dis(values.shape[1], blur=BLUR)
    moving = [at for at in range(len(values) - 1) if not np.array_equal(values[at], values[at + 1])] or [0]
    lengths = []
    for start in sorted({moving[0], moving[len(moving) // 2], moving[-1]}):
        target, source = (torch.from_numpy(values[at : at + 1]) for at in (start, start + 1))
        lengths.append(np.linalg.norm(flow(target, source)[0].numpy(), axis=0).ravel())
    median, quantile = np.quantile(np.concatenate(lengths), (0.5, 0.95))
    return float(median), float(quantile)
