"""What the benchmark compares with: ``(noisy, noise level) -> denoised``."""

METHODS = {
    "nlm": "pipeline.methods.nlm:nlm",
    "noisy": "pipeline.methods.noisy:noisy",
}
