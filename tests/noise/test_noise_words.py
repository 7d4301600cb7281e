"""What is said of noise is true: a table of kinds and levels whose sigma and kind are known."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.noise.estimation.estimate import NoiseEstimate, estimate_noise
from self2align.survey.findings import _noise as words

HEIGHT, WIDTH = 192, 256
Y, X = np.indices((HEIGHT, WIDTH))
SCENE = 0.65 + 0.35 * np.sin(X / 23) * np.cos(Y / 31)
SCENE[60:120, 80:140] *= 0.4


@dataclass(frozen=True)
class Case:
    """Footage of known noise: frames ``(3, H, W)``, distance of codes, true sigma, and what is said."""

    frames: NDArray[np.floating[Any]]
    step: float
    sigma: float
    kind: str
    clipped: tuple[bool, bool] = (False, False)


def _draw() -> np.random.Generator:
    return np.random.default_rng(0)


def _photons(mean: float, step: float = 1.0) -> Case:
    expected = SCENE * (mean / SCENE.mean())
    return Case(step * _draw().poisson(expected, (3, HEIGHT, WIDTH)), step, step * mean**0.5, "poisson")


def _mixed(mean: float, read: float) -> Case:
    expected = SCENE * (mean / SCENE.mean())
    noise = _draw().normal(0, read, (3, HEIGHT, WIDTH))
    kind = "poisson_gaussian" if mean > read**2 / 4 else "gaussian"
    return Case(_draw().poisson(expected, noise.shape) + noise + 100, 0.0, (mean + read**2) ** 0.5, kind)


def _eight_bits(sigma: float, low: float = 40, high: float = 200, clipped: tuple[bool, bool] = (False, False)) -> Case:
    clean = low + (high - low) * (SCENE - SCENE.min()) / np.ptp(SCENE)
    noisy = np.clip(np.rint(clean + _draw().normal(0, sigma, (3, HEIGHT, WIDTH))), 0, 255)
    return Case(noisy, 1.0, (sigma**2 + 1 / 12) ** 0.5, "gaussian", clipped)


def _half(value: float) -> Case:
    case = _eight_bits(10)
    case.frames[:, :100] = value
    return Case(case.frames, 1.0, case.sigma, "gaussian", (value == 0, value == 255))


TABLE = {
    **{f"photons, mean {mean:g}": _photons(mean) for mean in (0.01, 0.1, 0.36, 1, 3, 10, 100, 1000)},
    "photons in steps of 16": _photons(0.36, 16.0),
    "photons as floats": _photons(0.36, 0.01),
    "read noise over few photons": _mixed(0.36, 2.0),
    **{f"Gaussian, sigma {sigma:g}": _eight_bits(sigma) for sigma in (0.5, 1, 5, 15)},
    "clipped at black": _eight_bits(15, -10, 150, (True, False)),
    "clipped at white": _eight_bits(15, 100, 262, (False, True)),
    "half saturated": _half(255),
    "half black": _half(0),
}


def _estimate(case: Case) -> NoiseEstimate:
    return estimate_noise(case.frames[:, None].astype(np.float32), case.step)


@pytest.mark.parametrize("name", TABLE)
def test_sigma_kind_and_clipping_are_as_they_are(name: str) -> None:
    case = TABLE[name]
    found = _estimate(case)
    assert found.sigma == pytest.approx(case.sigma, rel=0.06)
    # The line through the variances may leave a little read noise where there is none.
    assert found.kind.startswith(case.kind)
    assert tuple(share > 0.02 for share in found.clipped) == case.clipped


@pytest.mark.parametrize("sigma", [0.0, 0.05])
def test_noise_below_a_code_is_not_said_to_be_noise(sigma: float) -> None:
    lines = words(_estimate(_eight_bits(sigma)))
    assert len(lines) == 1
    assert lines[0].startswith("Noise: none beyond the rounding of values (sigma ")


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_a_constant_channel_has_no_noise(value: float) -> None:
    lines = words(estimate_noise(np.full((2, 1, 64, 64), value, np.float32)))
    assert lines == ["Noise: none beyond the rounding of values (sigma 0 of 255): nothing to train on."]


def test_a_level_that_is_uncertain_has_no_kind() -> None:
    draw = np.random.default_rng(1)
    texture = draw.normal(0, 1, (1, 1, 96, 96)).cumsum(-1).astype(np.float32)  # flat nowhere
    found = estimate_noise(texture)
    assert found.error > 0.2
    assert ", of a kind that cannot be told; " in words(found)[0]
