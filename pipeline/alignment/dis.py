"""The classical aligner: DIS optical flow (Kroeger et al. 2016) on low-passed frames."""

from typing import Annotated, Literal

import cv2
import numpy as np
import torch
from annotated_types import Ge
from numpy.typing import NDArray
from torch import Tensor

from self2align.alignment.filters import low_pass

PRESETS = {
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
}

LEAST = 32  # px, shortest side that OpenCV gets
THIN = 3  # px; every third pixel is enough for quantiles of brightness


class Dis:
    """OpenCV's DIS on gray frames; nothing to train.

    Parameters
    ----------
    channels
        C of the frames; any.
    blur
        Standard deviation of the Gaussian low-pass before matching, px. On DAVIS at sigma 25, 1.5 gives
        28.8 dB aligned and fits none of the noise; lower values gain dB by fitting noise.
    preset
        OpenCV's preset: ultrafast, fast or medium.
    """

    def __init__(
        self,
        channels: int,
        *,
        blur: Annotated[float, Ge(0)] = 1.5,
        preset: Literal["ultrafast", "fast", "medium"] = "medium",
    ) -> None:
        self.channels = channels
        self.blur = blur
        self.flow = cv2.DISOpticalFlow.create(PRESETS[preset])

    def __call__(self, target: Tensor, source: Tensor) -> Tensor:
        """Return the transfer field; see `self2align.alignment.aligner.Aligner`."""
        gray = [low_pass(frames.mean(1, keepdim=True).cpu(), self.blur)[:, 0].numpy() for frames in (target, source)]
        fields = [self._match(*pair) for pair in zip(*gray, strict=True)]
        return torch.from_numpy(np.stack(fields)).to(target.device)

    def _match(self, target: NDArray[np.float32], source: NDArray[np.float32]) -> NDArray[np.float32]:
        # The same stretch for both frames, so dark footage uses all 256 levels of DIS's input.
        height, width = target.shape
        if min(height, width) < LEAST:
            # OpenCV crashes on some frames smaller than its patches.
            room = ((0, max(0, LEAST - height)), (0, max(0, LEAST - width)))
            target, source = np.pad(target, room, mode="edge"), np.pad(source, room, mode="edge")
        low, high = np.percentile(np.stack([target[::THIN, ::THIN], source[::THIN, ::THIN]]), (0.5, 99.5))
        scale = 255 / max(float(high - low), 1e-3)
        levels = [np.clip((frame - low) * scale, 0, 255).astype(np.uint8) for frame in (target, source)]
        field = self.flow.calc(levels[0], levels[1], np.zeros((*target.shape, 2), np.float32))
        return np.ascontiguousarray(field[:height, :width].transpose(2, 0, 1), dtype=np.float32)
