"""Denoising from file to file; metadata is kept."""

MEDIA = {
    "image": "self2align.media.image:ImageFile",
    "tiff": "self2align.media.tiff:TiffStack",
    "video": "self2align.media.video:VideoFile",
    "zarr": "self2align.media.zarr_planes:ZarrPlanes",
}
