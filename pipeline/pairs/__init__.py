"""Aligned noisy pairs: generating, scoring and sampling them."""

SAMPLERS = {
    "adaptive": "pipeline.pairs.samplers:adaptive",
    "adaptive_map": "pipeline.pairs.samplers:adaptive_map",
    "confidence_map": "pipeline.pairs.samplers:confidence_map",
    "fixed": "pipeline.pairs.samplers:fixed",
    "none": "pipeline.pairs.samplers:none",
    "ssim": "pipeline.pairs.samplers:ssim",
}
MAPS = ("adaptive_map", "confidence_map")  # those that look at each pixel, not at the pair
