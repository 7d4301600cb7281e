"""Containers and encoders of written videos."""

# Suffix -> FFmpeg's name of the container, and its default encoder.
CONTAINERS = {
    ".m4v": ("mp4", "libx264"),
    ".mkv": ("matroska", "libx264"),
    ".mov": ("mov", "libx264"),
    ".mp4": ("mp4", "libx264"),
    ".webm": ("webm", "libvpx-vp9"),
}
_DEEP = {".webm": "libsvtav1"}  # for more than 8 bits, where the default encoder takes no more
ANY = ".mkv"  # the container that holds the streams of any other

# Names that MP4 and MOV have places of their own for. Others, as phones write them, need a list of keys, in which
# players do not look for these.
PLAIN_TAGS = frozenset(
    {"album", "album_artist", "artist", "author", "comment", "composer", "copyright", "creation_time", "date"}
    | {"description", "disc", "episode_id", "genre", "grouping", "keywords", "language", "location", "lyrics"}
    | {"network", "performer", "rating", "show", "synopsis", "title", "track", "year"}
)

# Encoders that write where chroma samples lie.
LOCATING = frozenset({"libsvtav1", "libx264", "libx265"})

# Encoders that take no size at which a chroma sample covers less than its block.
WHOLE_BLOCKS = frozenset({"libx264", "libx265"})

# Encoder -> options: visually lossless, since denoised video is often edited; ffv1 is lossless.
ENCODERS = {
    "ffv1": {"level": "3"},
    "libsvtav1": {"crf": "15", "preset": "6"},
    "libvpx-vp9": {"crf": "15", "b": "0"},
    # mbtree reads uninitialized memory: the same frames would give different bytes.
    "libx264": {"crf": "14", "preset": "medium", "x264-params": "mbtree=0"},
    "libx265": {"crf": "16", "preset": "medium", "x265-params": "log-level=none"},
    "prores_ks": {"profile": "3"},
}


def default_codec(suffix: str, bits: int) -> str:
    """Return the encoder for a container, a key of `CONTAINERS`, and for values of so many bits."""
    usual = CONTAINERS[suffix][1]
    return _DEEP.get(suffix, usual) if bits > 8 else usual
