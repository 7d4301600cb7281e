"""What the benchmark compares with: ``(noisy image, noise level) -> denoised image``."""

# name -> "module:method"; see `self2align.methods.method.Method`.
METHODS = {
    "bm3d": "self2align.methods.bm3d:METHOD",
    "dip": "self2align.methods.dip:METHOD",
    "nlm": "self2align.methods.nlm:METHOD",
    "noisy": "self2align.methods.noisy:METHOD",
    "self2self": "self2align.methods.self2self:METHOD",
}
