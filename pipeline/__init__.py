"""Train an image and video denoiser from noisy footage alone, and use it.

The public interface; everything else may change. Importing the package loads none of it: each name is loaded when it is
first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from self2align.alignment.loading import load_aligner
    from self2align.alignment.warp import warp
    from self2align.denoising.denoiser import Denoiser
    from self2align.evaluation.metrics import psnr, ssim
    from self2align.noise.estimation.estimate import NoiseEstimate, estimate_noise
    from self2align.stores.frames import FrameStore
    from self2align.stores.pairs import PairStore

__version__ = "0.1.0"

_PLACES = {
    "Denoiser": "denoising.denoiser",
    "FrameStore": "stores.frames",
    "NoiseEstimate": "noise.estimation.estimate",
    "PairStore": "stores.pairs",
    "estimate_noise": "noise.estimation.estimate",
    "load_aligner": "alignment.loading",
    "psnr": "evaluation.metrics",
    "ssim": "evaluation.metrics",
    "warp": "alignment.warp",
}

__all__ = [
    "Denoiser",
    "FrameStore",
    "NoiseEstimate",
    "PairStore",
    "__version__",
    "estimate_noise",
    "load_aligner",
    "psnr",
    "ssim",
    "warp",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_PLACES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
