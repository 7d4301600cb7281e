"""PNG, JPEG, WebP and BMP."""

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from self2align.denoising.frames import DenoiseFrames
from self2align.images import jpeg, png
from self2align.images.files import read_image
from self2align.media.finishing import finish_frames, finished_frame
from self2align.media.medium import (
    OF_VIDEO,
    Choices,
    Frames,
    check_channels,
    check_size,
    coding_of,
)
from self2align.media.picture import alpha_of, lost_metadata, png_chunks, to_write, written_metadata
from self2align.media.rounding import refuse_float
from self2align.runtime.progress import Progress, ignore

# JPEG with the least loss that it has (docs/decisions/denoising-in-tiles.md#jpeg); WebP without loss.
SAVED: dict[str, tuple[str, dict[str, Any]]] = {
    ".bmp": ("BMP", {}),
    ".jpeg": ("JPEG", {"quality": 100, "subsampling": 0}),
    ".jpg": ("JPEG", {"quality": 100, "subsampling": 0}),
    ".png": ("PNG", {}),
    ".webp": ("WEBP", {"lossless": True, "exact": True}),
}


class ImageFile:
    """One picture, gray or RGB, 8 or 16 bits; alpha, color profile, EXIF and resolution are kept. See `Pictures`."""

    count = lines = 1
    reading = ""
    rate: Fraction | None = None
    choice = "same"

    def __init__(self, source: Path, target: Path, choices: Choices, progress: Progress = ignore) -> None:
        choices.refuse(source, *OF_VIDEO, "axes")
        refuse_float(target, choices)
        self.source, self.target = source, target
        self.info, left_out = to_write(source)
        self.notes = [f"{source}: not written: {part}" for part in left_out]
        if self.info.format in ("JPEG", "MPO") and (fault := jpeg.fault_of(source.read_bytes())):
            self.notes.append(f"{source}: found {fault}: what does not decode is gray")
        self.shape = (self.info.channels, self.info.height, self.info.width)
        check_size(source, *self.shape)
        check_channels(source, self.info.channels, choices)
        choices.fits(source, *self.shape)
        self.sigma, self.pattern, self.strength = choices.sigma, choices.pattern, choices.strength
        self.trust = choices.trust
        self.notes += choices.gray(source, self.info.channels)
        self.coding = coding_of(source, np.dtype(np.uint16 if self.info.deep else np.uint8), choices)
        if self.info.palette:
            self.notes.append(f"{source}: its palette holds no denoised colours; they are written as such")
        suffix = target.suffix.lower()
        if suffix not in SAVED:
            raise ValueError(f"{target}: found suffix {suffix!r}, expected one of {', '.join(sorted(SAVED))}")
        if self.info.deep and suffix != ".png":
            raise ValueError(f"{target}: found suffix {suffix!r} for 16 bits, expected .png")
        if self.info.alpha and suffix in (".bmp", ".jpeg", ".jpg"):
            raise ValueError(f"{target}: found suffix {suffix!r} for a picture with alpha, expected .png or .webp")
        if lost := lost_metadata(SAVED[suffix][0], source, self.info):
            self.notes.append(f"{source}: not written into {suffix}: {', '.join(lost)}")

    def work(self, scratch: Path, denoise: DenoiseFrames, progress: Progress, span: range | None = None) -> None:
        """See `Medium`."""
        finish_frames(self.still(), scratch, denoise, progress)

    def still(self) -> Frames:
        """See `Pictures`."""
        hidden = (lambda *_: alpha_of(self.source, self.info) == 0) if self.info.alpha else None
        return Frames(
            self.source,
            1,
            self.coding,
            lambda _: read_image(self.source)[0],
            self.sigma,
            hidden=hidden,
            pattern=self.pattern,
            strength=self.strength,
            trust=self.trust,
        )

    def assemble(self, scratch: Path, made: Path) -> None:
        """See `Medium`."""
        pixels = np.asarray(finished_frame(scratch, 0)).transpose(1, 2, 0)
        if self.info.alpha:
            pixels = np.concatenate([pixels, alpha_of(self.source, self.info)[..., None]], axis=2)
        kind, options = SAVED[self.target.suffix.lower()]
        if kind == "PNG":
            data = png.encode_png(pixels, png_chunks(self.source, self.info))
        else:
            shown = pixels[..., 0] if pixels.shape[2] == 1 else pixels
            file = io.BytesIO()
            Image.fromarray(np.ascontiguousarray(shown)).save(
                file, format=kind, **options, **written_metadata(kind, self.info)
            )
            data = file.getvalue()
        made.write_bytes(data)
