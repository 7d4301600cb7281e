"""Denoising networks: ``(N, C, H, W) -> (N, C, H, W)``, white being 1.0."""

NETWORKS = {
    "unet": "pipeline.networks.unet:UNet",
}
