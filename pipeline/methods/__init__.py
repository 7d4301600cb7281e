"""What the benchmark compares with: ``(noisy, noise level) -> denoised``."""

METHODS = {
    "bm3d": "self2align.methods.bm3d:bm3d",
    "dip": "self2align.methods.dip:dip",
    "nlm": "self2align.methods.nlm:nlm",
    "noisy": "self2align.methods.noisy:noisy",
    "self2self": "self2align.methods.self2self:self2self",
}

# The package, an extra, that a method alone needs: without it, its row says so and the rest goes on.
EXTRAS = {"bm3d": "bm3d"}

# They compute on a GPU when there is one, which serves one process best.
ON_DEVICE = frozenset({"dip", "self2self"})

# What makes the network of those that are trained on each image; its parameters are the method's own.
IMAGE_NETWORKS = {
    "dip": "self2align.methods.dip:hourglass",
    "self2self": "self2align.methods.self2self:PartialUNet",
}
