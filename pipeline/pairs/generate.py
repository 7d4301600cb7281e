"""From two noisy frames to scored, aligned pairs of crops."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from self2align.alignment.aligned import Aligned
from self2align.alignment.warp import warp
from self2align.noise.profile import NoiseProfile
from self2align.pairs.plan import PairCrop
from self2align.pairs.scores import pair_ssim, ssim_filtered


def cut_source(source: NDArray[Any], top: int, left: int, size: int, margin: int) -> NDArray[Any]:
    """Return a crop of a frame with a margin on all sides; edges are repeated beyond the frame.

    ``(C, H, W)`` to ``(C, size + 2 margin, size + 2 margin)``.
    """
    rows = np.clip(np.arange(top - margin, top + size + margin), 0, source.shape[1] - 1)
    columns = np.clip(np.arange(left - margin, left + size + margin), 0, source.shape[2] - 1)
    return source[:, rows[:, None], columns]


def crop_rows(
    aligned: Aligned,
    target: Tensor,
    source: Tensor,
    crops: Sequence[PairCrop],
    size: int,
    margin: int,
    kernel: str,
    noise: NoiseProfile | None = None,
) -> dict[str, NDArray[Any]]:
    """Return the computed values of crops of one aligned frame.

    Confidence is 0 where the neighbour's pixel lies beyond the margin. Scores always use the bilinear warp, whatever
    the kernel: they account for the noise that it leaves.

    Parameters
    ----------
    aligned
        The source aligned to the target.
    target, source
        ``(C, H, W)``.
    crops
        Places of the crops, the same in both frames.
    size, margin
        px; the margin is that of the source around each crop.
    kernel
        How the ``warped`` crops are sampled; see `self2align.alignment.warp.warp`.
    noise
        What neighbouring pixels and channels share of the noise, for the scores; None for nothing.

    Returns
    -------
    dict
        warped ``(N, C, size, size)``, transfer ``(N, 2, size, size)``, confidence ``(N, size, size)``,
        ssim, ssim_filtered, gain, offset ``(N,)``.
    """
    boxes = [(slice(crop.top, crop.top + size), slice(crop.left, crop.left + size)) for crop in crops]
    warped = torch.stack([aligned.warped[:, y, x] for y, x in boxes])
    cropped = torch.stack([target[:, y, x] for y, x in boxes])
    transfer = torch.stack([aligned.transfer[:, y, x] for y, x in boxes])
    trust = torch.stack([aligned.confidence[y, x] for y, x in boxes])
    place = torch.arange(size, dtype=transfer.dtype, device=transfer.device)
    for component, here in ((transfer[:, 0], place), (transfer[:, 1], place[:, None])):
        reached = component + here
        trust = trust * ((reached >= -margin) & (reached <= size - 1 + margin))
    count = len(crops)
    kept = warped
    if kernel != "bilinear":
        whole = source.cpu().numpy()
        wide = np.stack([cut_source(whole, crop.top, crop.left, size, margin) for crop in crops])
        sampled = warp(torch.from_numpy(wide).to(transfer.device), transfer + margin, kernel)
        kept = sampled * aligned.gain + aligned.offset
    return {
        "warped": kept.cpu().numpy(),
        "transfer": transfer.cpu().numpy(),
        "confidence": trust.cpu().numpy(),
        "ssim": pair_ssim(warped, cropped).cpu().numpy().astype(np.float32),
        "ssim_filtered": ssim_filtered(warped, cropped, noise).cpu().numpy().astype(np.float32),
        "gain": np.full(count, aligned.gain, np.float32),
        "offset": np.full(count, aligned.offset, np.float32),
    }
