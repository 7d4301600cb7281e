"""What the benchmark compares with: ``(noisy, noise level) -> denoised``."""

METHODS = {
    "bm3d": "pipeline.methods.bm3d:bm3d",
    "nlm": "pipeline.methods.nlm:nlm",
    "noisy": "pipeline.methods.noisy:noisy",
}
