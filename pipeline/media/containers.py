"""Containers and encoders of written videos."""

# Suffix -> FFmpeg's name of the container, and its default encoder.
CONTAINERS = {
    ".m4v": ("mp4", "libx264"),
    ".mkv": ("matroska", "libx264"),
    ".mov": ("mov", "libx264"),
    ".mp4": ("mp4", "libx264"),
    ".webm": ("webm", "libvpx-vp9"),
}
ANY = ".mkv"  # the container that holds the streams of any other

# Encoder -> options: visually lossless, since denoised video is often edited; ffv1 is lossless.
ENCODERS = {
    "ffv1": {"level": "3"},
    "libvpx-vp9": {"crf": "15", "b": "0"},
    # mbtree reads uninitialized memory: the same frames would give different bytes.
    "libx264": {"crf": "14", "preset": "medium", "x264-params": "mbtree=0"},
    "libx265": {"crf": "16", "preset": "medium", "x265-params": "log-level=none"},
    "prores_ks": {"profile": "3"},
}
