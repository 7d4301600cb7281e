"""What the benchmark compares with: ``(noisy, noise level) -> denoised``."""

METHODS = {
    "bm3d": "pipeline.methods.bm3d:bm3d",
    "dip": "pipeline.methods.dip:dip",
    "nlm": "pipeline.methods.nlm:nlm",
    "noisy": "pipeline.methods.noisy:noisy",
    "self2self": "pipeline.methods.self2self:self2self",
}

# They compute on a GPU when there is one, which serves one process best.
ON_DEVICE = frozenset({"dip", "self2self"})
