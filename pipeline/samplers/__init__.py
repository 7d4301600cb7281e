"""The Bernoulli sampler (paper, section 4.2): which pixels of the network's input are kept in training."""

# name -> "module:sampler"; see `self2align.samplers.sampler.Sampler`.
SAMPLERS = {
    "adaptive": "self2align.samplers.adaptive:SAMPLER",
    "adaptive_map": "self2align.samplers.adaptive_map:SAMPLER",
    "confidence_map": "self2align.samplers.confidence_map:SAMPLER",
    "fixed": "self2align.samplers.fixed:SAMPLER",
    "none": "self2align.samplers.none:SAMPLER",
    "ssim": "self2align.samplers.ssim:SAMPLER",
}
