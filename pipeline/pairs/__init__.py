"""Aligned noisy pairs: generating, scoring and sampling them."""

SAMPLERS = {
    "adaptive": "pipeline.pairs.samplers:adaptive",
    "fixed": "pipeline.pairs.samplers:fixed",
    "none": "pipeline.pairs.samplers:none",
    "ssim": "pipeline.pairs.samplers:ssim",
}
