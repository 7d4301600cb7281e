"""Measures of a denoised sequence whose clean frames are known, one frame after the other."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from self2align.alignment.confidence import inconsistency
from self2align.alignment.dis import Dis
from self2align.alignment.warp import inside, warp
from self2align.evaluation.block_errors import Blocks, block_errors
from self2align.evaluation.metrics import ssim
from self2align.images.levels import to_levels

Frame = NDArray[np.float32]
CEILING = 100.0  # dB, of a frame: one without any error must not decide the mean


def frame_psnr(result: Frame, clean: Frame) -> float:
    """Return the PSNR over all channels, dB, at most 100; nothing is rounded.

    Parameters
    ----------
    result, clean
        ``(C, H, W)``, white being 1.0.
    """
    error = float(np.square(result.astype(np.float64) - clean).mean())
    return CEILING if error < 10 ** (-CEILING / 10) else float(-10 * np.log10(error))


class SequenceMeter:
    """Measures results of a sequence as they come; only the last frame is held.

    PSNR and SSIM of a sequence are means over its frames, as in DVDnet's protocol (Tassano et al. 2019). PSNR, flicker
    and errors of blocks are of results that are clipped to [0, 1] and not rounded; SSIM is of 8 bits.
    """

    def __init__(self) -> None:
        self._motion = Dis(1, blur=0.0)
        self._psnr: list[float] = []
        self._ssim: list[float] = []
        self._blocks: list[Blocks] = []
        self._last: tuple[Tensor, Tensor] | None = None  # a clean frame and the error of its result
        self._changed, self._seen = 0.0, 0

    def add(self, result: Frame, clean: Frame) -> None:
        """Measure the result of the next frame; both are ``(C, H, W)``, white being 1.0."""
        shown = np.clip(result, 0, 1)
        self._psnr.append(frame_psnr(shown, clean))
        self._ssim.append(ssim(to_levels(result), to_levels(clean)))
        self._blocks.append(block_errors(shown, clean))
        now = torch.from_numpy(clean)[None], torch.from_numpy(shown - clean)[None]
        if self._last is not None:
            self._compare(now, self._last)
        self._last = now

    def _compare(self, now: tuple[Tensor, Tensor], before: tuple[Tensor, Tensor]) -> None:
        """Add what the error of results changes by from one frame to the next, along the motion of the clean ones."""
        (clean, error), (earlier, former) = now, before
        forward, backward = self._motion(clean, earlier), self._motion(earlier, clean)
        matched = inside(forward, *clean.shape[-2:]) & (inconsistency(forward, backward) <= 1)
        change = (error - warp(former, forward, "sinc")).double().square()
        self._changed += float((change * matched[:, None]).sum())
        self._seen += int(matched.sum()) * clean.shape[1]

    @property
    def frames(self) -> int:
        """Return the number of frames so far."""
        return len(self._psnr)

    @property
    def psnr(self) -> float:
        """Return the mean over the frames, dB."""
        return float(np.mean(self._psnr))

    @property
    def ssim(self) -> float:
        """Return the mean over the frames."""
        return float(np.mean(self._ssim))

    @property
    def flicker(self) -> float | None:
        """Return the RMS error of the difference of neighbouring frames along the motion, in levels of 255.

        The difference of a frame and the last one, sampled where DIS finds its pixels between the clean frames, is
        compared with that of the clean frames. Pixels without a match are left out: those whose field leaves the frame,
        and those whose fields both ways differ by more than the limit of Sundaram et al. (2010). None without matches.
        """
        return 255 * float(np.sqrt(self._changed / self._seen)) if self._seen else None

    @property
    def blocks(self) -> Blocks:
        """Return the errors of blocks, ``(T, rows, columns)``; see `self2align.evaluation.block_errors`."""
        return np.stack(self._blocks)
