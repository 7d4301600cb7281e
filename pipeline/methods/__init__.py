"""What the benchmark compares with: ``(noisy, noise level) -> denoised``."""

METHODS = {
    "bm3d": "pipeline.methods.bm3d:bm3d",
    "dip": "pipeline.methods.dip:dip",
    "nlm": "pipeline.methods.nlm:nlm",
    "noisy": "pipeline.methods.noisy:noisy",
}

# They compute on a GPU when there is one, which serves one process best.
ON_DEVICE = frozenset({"dip"})
