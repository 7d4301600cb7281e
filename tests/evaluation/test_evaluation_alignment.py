"""Measures of a frame pair with known motion and exposure."""

import numpy as np
import torch
from numpy.typing import NDArray

from self2align.evaluation.alignment import measure_pair


def test_flicker_is_distinguished_from_misalignment(texture: NDArray[np.float32]) -> None:
    still = torch.from_numpy(texture)[None]
    gain, offset, sigma = 0.8, 0.05, 25 / 255
    clean = [still, (still - offset) / gain]
    draw = torch.Generator().manual_seed(3)
    noisy = [frame + sigma * torch.randn(frame.shape, generator=draw) for frame in clean]
    height, width = still.shape[-2:]
    fields = torch.zeros(2, 2, height, width)
    known = fields[:1], torch.ones(1, height, width, dtype=torch.bool)

    def measured(exposure: bool) -> dict[str, float]:
        row = measure_pair(noisy, clean, fields, None, known, 0.85, exposure)
        return {name: value for name, value in row.items() if value is not None}

    lit, plain = measured(True), measured(False)

    assert lit["endpoint_error"] == plain["endpoint_error"] == 0
    # The gain is estimated to within 0.01; without compensation, 0.8 against 1 costs 20 dB.
    assert lit["psnr"] > 40
    assert plain["psnr"] < 25
    # A field of zeros leaves the noise unchanged.
    assert abs(lit["noise_ratio"] - 1) < 1e-4
    assert abs(lit["noise_correlation"]) < 0.02
    assert lit["coverage"] > plain["coverage"] + 0.1
