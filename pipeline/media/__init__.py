"""Denoising from file to file; metadata is kept."""

# Kind of file -> its class, and the suffixes of its files, lower case. These stand here and not in the modules, so that
# a wrong name is refused before torch and the readers of files are loaded, which takes seconds.
KINDS = {
    "image": ("self2align.media.image:ImageFile", ".bmp .jpeg .jpg .png .webp"),
    "tiff": ("self2align.media.tiff:TiffStack", ".btf .tf8 .tif .tiff"),
    "video": (
        "self2align.media.video:VideoFile",
        ".3g2 .3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv .y4m",
    ),
    "zarr": ("self2align.media.zarr_planes:ZarrPlanes", ""),  # a folder: see `self2align.media.jobs.kind_of`
}
MEDIA = {kind: member for kind, (member, _) in KINDS.items()}
SUFFIXES = {kind: frozenset(suffixes.split()) for kind, (_, suffixes) in KINDS.items()}

# Types that a user can ask of a result.
FLOAT = "float32"
DTYPES = ("same", FLOAT)
