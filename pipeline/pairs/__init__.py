"""Aligned noisy pairs: generating, scoring and sampling them."""

SAMPLERS = {
    "adaptive": "self2align.samplers.sampler:adaptive",
    "adaptive_map": "self2align.samplers.sampler:adaptive_map",
    "confidence_map": "self2align.samplers.sampler:confidence_map",
    "fixed": "self2align.samplers.sampler:fixed",
    "none": "self2align.samplers.sampler:none",
    "ssim": "self2align.samplers.sampler:ssim",
}
MAPS = ("adaptive_map", "confidence_map")  # those that look at each pixel, not at the pair
