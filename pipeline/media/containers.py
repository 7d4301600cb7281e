"""Containers and encoders of written videos."""

from dataclasses import dataclass

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

_X_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo")


@dataclass(frozen=True)
class Scale:
    """What an encoder takes as its constant rate factor and as its preset.

    Encoders ignore much of what they do not take: libx264 a factor above 51, libsvtav1 0, libvpx-vp9 presets.

    Attributes
    ----------
    low, high
        The lowest and the highest factor: higher is worse.
    whole
        Whether it is a whole number.
    presets
        Names, from fast to slow; empty if it has none.
    """

    low: int
    high: int
    whole: bool
    presets: tuple[str, ...] = ()


# Encoders that lose something, in steps of the user's choice.
SCALES = {
    "libsvtav1": Scale(1, 63, True, tuple(str(number) for number in range(13, -1, -1))),
    "libvpx-vp9": Scale(0, 63, True),
    "libx264": Scale(0, 51, False, _X_PRESETS),
    "libx265": Scale(0, 51, False, _X_PRESETS),
}


def encoder_options(codec: str, crf: float | None, preset: str | None) -> dict[str, str]:
    """Return the options of an encoder.

    Parameters
    ----------
    codec
        A key of `ENCODERS`.
    crf, preset
        What the user chose; None for ours.

    Raises
    ------
    ValueError
        If the encoder does not take them.
    """
    options, scale = dict(ENCODERS[codec]), SCALES.get(codec)
    if crf is not None:
        if scale is None:
            able = ", ".join(sorted(SCALES))
            raise ValueError(f"crf: found {crf:g} for {codec}, which has none, expected --codec of {able}")
        if not scale.low <= crf <= scale.high or (scale.whole and crf != int(crf)):
            kind = "a whole number from" if scale.whole else "a number from"
            raise ValueError(f"crf: found {crf:g}, expected {kind} {scale.low} to {scale.high} for {codec}")
        options["crf"] = f"{crf:g}"
    if preset is not None:
        names = () if scale is None else scale.presets
        if preset not in names:
            expected = f"one of {', '.join(names)} for {codec}" if names else f"none for {codec}"
            raise ValueError(f"preset: found {preset!r}, expected {expected}")
        options["preset"] = preset
    return options


def default_codec(suffix: str, bits: int) -> str:
    """Return the encoder for a container, a key of `CONTAINERS`, and for values of so many bits."""
    usual = CONTAINERS[suffix][1]
    return _DEEP.get(suffix, usual) if bits > 8 else usual
