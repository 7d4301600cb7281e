"""Containers and encoders of videos that are written."""

# Suffix -> FFmpeg's name of the container, and its encoder unless another is chosen.
CONTAINERS = {
    ".m4v": ("mp4", "libx264"),
    ".mkv": ("matroska", "libx264"),
    ".mov": ("mov", "libx264"),
    ".mp4": ("mp4", "libx264"),
    ".webm": ("webm", "libvpx-vp9"),
}
ANY = ".mkv"  # the container that holds whatever another held

# Encoder -> its options: no loss that is seen, as what is denoised is often edited on; ffv1 has none at all.
ENCODERS = {
    "ffv1": {"level": "3"},
    "libvpx-vp9": {"crf": "15", "b": "0"},
    # Its macroblock tree reads memory that nothing has written: the same frames give other bytes.
    "libx264": {"crf": "14", "preset": "medium", "x264-params": "mbtree=0"},
    "libx265": {"crf": "16", "preset": "medium", "x265-params": "log-level=none"},
    "prores_ks": {"profile": "3"},
}
