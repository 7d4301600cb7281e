"""The visual comparison for the HTML page: crops and error maps, embedded as data URIs."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from self2align.report.canvas import Picture, fit, png_bytes
from self2align.report.figures import Compared

AMPLIFIED = 5  # at sigma 25 the noise is middle gray, and the error of a good denoiser is still visible
WHOLE = 320  # px, largest side of the whole image


@dataclass(frozen=True)
class ShownCrop:
    """A crop as one method restored it.

    Attributes
    ----------
    name
        The method; "clean" for the clean image.
    picture, error
        The crop and its `error_map` as data URIs; empty if the method saved no picture.
    score
        PSNR and SSIM of the whole image, in words; may be empty.
    best
        Whether its PSNR is the highest.
    """

    name: str
    picture: str
    error: str
    score: str
    best: bool


@dataclass(frozen=True)
class ShownImage:
    """One image of the comparison.

    Attributes
    ----------
    name
        Set and image.
    whole
        The whole image as a data URI.
    size
        Width and height of the crops, px.
    mark
        Left, top, width and height of the crop, percent of the sides of the whole image.
    crops
        The clean one first, then every method's.
    """

    name: str
    whole: str
    size: tuple[int, int]
    mark: tuple[float, float, float, float]
    crops: Sequence[ShownCrop]


def data_uri(png: bytes) -> str:
    """Return a PNG file as a data URI."""
    return f"data:image/png;base64,{b64encode(png).decode()}"


def error_map(picture: Picture, clean: Picture) -> NDArray[np.uint8]:
    """Return the absolute error, mean over the channels, times `AMPLIFIED`: black is no error.

    Parameters
    ----------
    picture, clean
        ``(H, W, 3)``, 0 to 255.

    Returns
    -------
    NDArray
        ``(H, W)``, 0 to 255.
    """
    error = np.abs(picture.astype(np.float64) - clean.astype(np.float64)).mean(axis=2)
    codes: NDArray[np.uint8] = np.rint(np.minimum(AMPLIFIED * error, 255)).astype(np.uint8)
    return codes


def show_image(image: Compared, methods: Sequence[str]) -> ShownImage:
    """Return an image of the comparison with the crops of all methods, in order."""
    crop, (height, width) = image.crop, image.clean.shape[:2]
    clean = np.ascontiguousarray(crop.of(image.clean))
    best = max((round(score[0], 2) for score in image.scores.values()), default=0.0)
    crops = []
    for number, name in enumerate(["clean", *methods]):
        # The clean crop is the first; a method may be called "clean" too.
        picture = clean if not number else image.crops.get(name)
        score = image.scores.get(name) if number else None
        crops.append(
            ShownCrop(
                name,
                "" if picture is None else data_uri(png_bytes(picture)),
                "" if picture is None else data_uri(png_bytes(error_map(picture, clean))),
                f"{score[0]:.2f} dB / {score[1]:.3f}" if score else "",
                score is not None and round(score[0], 2) == best,
            )
        )
    mark = (crop.left / width, crop.top / height, crop.width / width, crop.height / height)
    left, top, wide, tall = (round(100 * side, 2) for side in mark)
    whole = data_uri(png_bytes(fit(image.clean, WHOLE, WHOLE)))
    return ShownImage(image.name, whole, (crop.width, crop.height), (left, top, wide, tall), crops)
