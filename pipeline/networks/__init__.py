"""Denoising networks: ``(N, C, H, W) -> (N, C, H, W)``, white being 1.0."""

NETWORKS = {
    "dncnn": "self2align.networks.dncnn:DnCNN",
    "memnet": "self2align.networks.memnet:MemNet",
    "nafnet": "self2align.networks.nafnet:NAFNet",
    "rednet": "self2align.networks.rednet:RedNet",
    "sgn": "self2align.networks.sgn:SGN",
    "unet": "self2align.networks.unet:UNet",
}
