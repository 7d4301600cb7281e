"""Files that are denoised from one to the next, keeping what they tell beside their pixels."""

MEDIA = {
    "image": "pipeline.media.image:ImageFile",
    "tiff": "pipeline.media.tiff:TiffStack",
    "video": "pipeline.media.video:VideoFile",
    "zarr": "pipeline.media.planes:ZarrPlanes",
}
