"""Noise: models that add it, estimates of it, and what clipping does to it."""

# name -> "module:class"; see `self2align.noise.model.NoiseModel`.
NOISE = {
    "camera": "self2align.noise.camera:Camera",
    "gaussian": "self2align.noise.gaussian:Gaussian",
    "none": "self2align.noise.none:Untouched",
    "poisson": "self2align.noise.poisson:Poisson",
    "poisson_gaussian": "self2align.noise.poisson_gaussian:PoissonGaussian",
}
