"""Denoising networks: ``(N, C, H, W) -> (N, C, H, W)``, white being 1.0."""

NETWORKS = {
    "dncnn": "pipeline.networks.dncnn:DnCNN",
    "memnet": "pipeline.networks.memnet:MemNet",
    "nafnet": "pipeline.networks.nafnet:NAFNet",
    "rednet": "pipeline.networks.rednet:RedNet",
    "sgn": "pipeline.networks.sgn:SGN",
    "unet": "pipeline.networks.unet:UNet",
}
