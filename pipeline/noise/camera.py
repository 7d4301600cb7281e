"""A camera: noise is made in a sensor, under colour filters, before demosaicking, white balance, gamma and 8 bits.

A clip of a noisy camera in three lines, frames ``(T, H, W, 3)``, uint8::

    from self2align.noise.camera import Camera, film
    camera = Camera(peak=300.0, demosaic="edge_aware")
    noisy = film(camera, clean, seed=0)        # another seed is another draw of the noise, and another sensor

One frame passes through three steps, each open to tests: `Camera.light` (display values to expected light on each
pixel of the sensor), `Camera.expose` (photons, read noise and the analogue-to-digital converter: raw values) and
`Camera.develop` (raw values to 8 bits). docs/decisions/camera.md has the sources of the constants.
"""

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from functools import cached_property
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from self2align.noise.model import Draw, FrameDraw
from self2align.runtime.families import check_arguments
from self2align.runtime.seeding import generator
from self2align.stores.codes import Coding

Values = NDArray[Any]
EIGHT_BITS = Coding("uint8", 1 / 255)
MARGIN = 4  # px mirrored around the raw frame, so that demosaicking has no border; even, so that filters stay in place
FLAT = 256  # px: side of the middle gray on which the level is measured
_DEMOSAICKING = {"bilinear": cv2.COLOR_BayerRGGB2RGB, "edge_aware": cv2.COLOR_BayerRGGB2RGB_EA}

# XYZ to the RGB of four cameras (Brooks et al., CVPR 2019, and its code), and linear sRGB to XYZ (IEC 61966-2-1).
_FROM_XYZ = np.array(
    [
        [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
        [[0.4913, -0.0541, -0.0202], [-0.6130, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
        [[0.8380, -0.2630, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
        [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.0970, 0.1581, 0.5181]],
    ]
)
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


@dataclass(frozen=True)
class Camera:
    """A camera with a Bayer filter (RGGB); of gray frames one without filters. See `self2align.noise.model.NoiseModel`.

    Expected counts are photons that the sensor has caught (electrons). Noise in electrons does not depend on
    ``peak``: less light is amplified more.

    Attributes
    ----------
    sigma
        Not used.
    peak
        Expected photons at white, of a pixel under a green filter; 1 / ``red`` and 1 / ``blue`` of it under the others.
    read
        Standard deviation of the read noise, electrons.
    rows
        Standard deviation of what all pixels of a row share in a frame, electrons (Wei et al., CVPR 2020).
    dsnu, prnu
        The fixed pattern, the same in all frames of a camera: standard deviation of its offsets, electrons, and of its
        relative gains (dark signal and photo response non-uniformity, EMVA 1288).
    bits
        Of raw values.
    black
        Raw value of no light. Noise below 0 is cut off.
    headroom
        Light at which the largest raw value is reached, white being 1.0 under a green filter.
    demosaic
        "bilinear", or "edge_aware": green along edges (OpenCV).
    red, blue
        Gains of the white balance; that of green is 1.
    matrix
        Whether colours of a camera, the mean of four, are turned into those of sRGB. That amplifies noise.
    curve
        From light to display values: "srgb" (IEC 61966-2-1), "bt709" (the camera's curve of ITU-R BT.709) or "linear".
    zoom
        Pixels of the picture for one of the sensor, each way: the picture is enlarged (bicubic), as digital zoom,
        stabilisation and small sensors have it. Its noise is coarser by as much.
    """

    sigma: float = 0.0
    peak: float = 1000.0
    _: KW_ONLY
    read: Annotated[float, Field(ge=0)] = 3.0
    rows: Annotated[float, Field(ge=0)] = 0.0
    dsnu: Annotated[float, Field(ge=0)] = 0.0
    prnu: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    bits: Annotated[int, Field(ge=8, le=16)] = 10
    black: Annotated[int, Field(ge=0)] = 64
    headroom: Annotated[float, Field(ge=0.5, le=16)] = 1.4
    demosaic: Literal["bilinear", "edge_aware"] = "edge_aware"
    red: Annotated[float, Field(ge=1, le=8)] = 2.0
    blue: Annotated[float, Field(ge=1, le=8)] = 1.6
    matrix: bool = False
    curve: Literal["srgb", "bt709", "linear"] = "srgb"
    zoom: Annotated[float, Field(ge=1, le=4)] = 1.0

    synthetic = True
    measured = True
    uses_sigma = False
    signal_dependent = True
    coding = EIGHT_BITS
    reach = (-0.0, 1.0)

    def __post_init__(self) -> None:
        """Refuse a black level that leaves next to nothing for light."""
        if self.black > self.largest // 2:
            raise ValueError(
                f"camera.black: found {self.black}, expected at most {self.largest // 2}, half of {self.bits} bits"
            )

    @property
    def largest(self) -> int:
        """Return the largest raw value."""
        return int(2**self.bits - 1)

    @property
    def scale(self) -> float:
        """Return the raw steps of light 1.0."""
        return (self.largest - self.black) / self.headroom

    @property
    def gains(self) -> NDArray[np.float64]:
        """Return the gains of the white balance, ``(3,)``."""
        return np.array([self.red, 1.0, self.blue])

    @cached_property
    def level(self) -> float:
        """Return the standard deviation on a middle gray RGB frame, white being 1.0; measured, as nothing says it."""
        flat = np.full((3, FLAT, FLAT), 0.5, np.float32)
        return float(self.sample(flat, FrameDraw(np.random.default_rng(0))).std(dtype=np.float64))

    @property
    def line(self) -> tuple[float, float]:
        """Return a and b of the variance ``a x + b``: that at middle gray, as gamma leaves no line."""
        return 0.0, self.level**2

    def sample(self, clean: Values, draw: Draw) -> NDArray[np.float32]:
        """Return a frame as the camera gives it, ``(C, H, W)``: multiples of 1 / 255 from 0 to 1.

        Parameters
        ----------
        clean
            Display values, ``(C, H, W)``, 0 to 1; C is 3, or 1 for a monochrome sensor.
        draw
            Source of the noise; its ``sensor`` is that of the fixed pattern.

        Raises
        ------
        ValueError
            If there are neither one nor three channels.
        """
        if len(clean) not in (1, 3):
            raise ValueError(f"synthesize.model: found camera for {len(clean)} channels, expected 1 or 3")
        if self.zoom == 1:
            return self.develop(self.expose(self.light(clean), draw), len(clean))
        height, width = clean.shape[1:]
        # Even sides, so that each block of the filters is whole.
        sensor = [max(2, 2 * round(side / self.zoom / 2)) for side in (height, width)]
        small = _resized(clean.astype(np.float32), sensor, cv2.INTER_AREA)
        developed = self.develop(self.expose(self.light(small), draw), len(clean))
        enlarged = _resized(developed, (height, width), cv2.INTER_CUBIC)
        return EIGHT_BITS.decode(EIGHT_BITS.encode(enlarged))

    def light(self, clean: Values) -> NDArray[np.float64]:
        """Return the expected light on each pixel of the sensor, ``(H, W)``, 1.0 being white under a green filter."""
        linear = to_light(clean.astype(np.float64), self.curve)
        raw: NDArray[np.float64] = linear[0] if len(linear) == 1 else self._filtered(linear)
        return raw

    def _filtered(self, linear: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the light that passes the filters, ``(H, W)``, of linear sRGB, ``(3, H, W)``."""
        if self.matrix:
            # A filter passes no negative light, which saturated colours would ask for.
            linear = np.maximum(np.tensordot(camera_matrix(), linear, 1), 0.0)
        red, green, blue = linear / self.gains[:, None, None]
        passed: NDArray[np.float64] = green.copy()
        passed[0::2, 0::2], passed[1::2, 1::2] = red[0::2, 0::2], blue[1::2, 1::2]
        return passed

    def expose(self, light: Values, draw: Draw) -> NDArray[np.float64]:
        """Return raw values, ``(H, W)``, whole numbers from 0 to ``largest``, of the expected light.

        Photons are counted (Poisson), the rest is Gaussian (Foi et al. 2008, equation 1); what exceeds the range is
        clipped.
        """
        shape = light.shape
        if self.prnu:
            light = light * np.maximum(1 + self.prnu * draw.sensor("gains").normal(shape), 0.0)
        electrons = draw.photons(light, self.peak) * float(self.peak)
        if self.read:
            electrons = electrons + self.read * draw.normal(shape)
        if self.rows:
            electrons = electrons + self.rows * draw.normal((shape[0], 1))
        if self.dsnu:
            electrons = electrons + self.dsnu * draw.sensor("offsets").normal(shape)
        return self.converted(electrons / self.peak)

    def converted(self, light: Values) -> NDArray[np.float64]:
        """Return raw values of measured light: amplified, from the black level on, rounded and clipped."""
        raw: NDArray[np.float64] = np.rint(light * self.scale + self.black).astype(np.float64)
        return raw.clip(0, self.largest)

    def develop(self, raw: NDArray[np.float64], channels: int) -> NDArray[np.float32]:
        """Return the frame of raw values, ``(channels, H, W)``: multiples of 1 / 255 from 0 to 1.

        Light below black is kept until the end, where it is clipped with that beyond white.
        """
        light = (raw[None] if channels == 1 else self._demosaicked(raw)) - self.black
        light = light / self.scale
        if channels == 3:
            light = light * self.gains[:, None, None]
            if self.matrix:
                light = np.tensordot(np.linalg.inv(camera_matrix()), light, 1)
        codes = np.rint(from_light(np.clip(light, 0, 1), self.curve) * 255)
        return EIGHT_BITS.decode(codes.astype(np.uint8))

    def _demosaicked(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return raw values of all three colours, ``(3, H, W)``."""
        # In 16 bits, of which OpenCV rounds the means of neighbours: below a step of the raw values.
        moved = (raw * 2 ** (16 - self.bits)).astype(np.uint16)
        framed = cv2.copyMakeBorder(moved, MARGIN, MARGIN, MARGIN, MARGIN, cv2.BORDER_REFLECT_101)
        colors = cv2.demosaicing(framed, _DEMOSAICKING[self.demosaic])[MARGIN:-MARGIN, MARGIN:-MARGIN]
        raw_colors: NDArray[np.float64] = colors.transpose(2, 0, 1) / float(2 ** (16 - self.bits))
        return raw_colors

    def describe(self) -> str:
        """Return the noise in a few words."""
        more = [
            f"{name} {value:g}"
            for name, value in (("row noise", self.rows), ("offsets", self.dsnu), ("gains", self.prnu))
            if value
        ]
        return ", ".join([f"a camera ({self.demosaic})", f"read noise {self.read:g} e-", *more]) + (
            f", {self.peak:g} photons at white"
        )


def _resized(values: NDArray[np.float32], shape: Sequence[int], method: int) -> NDArray[np.float32]:
    """Return a picture of another size, ``(C, H, W)``."""
    height, width = shape
    return np.stack([cv2.resize(channel, (width, height), interpolation=method) for channel in values])


def camera_of(peak: float, options: Mapping[str, Any]) -> Camera:
    """Return a camera with options of a user's.

    Raises
    ------
    ValueError
        For an unknown name or a value out of range: what was found and expected.
    """
    check_arguments(Camera, options, "camera")
    return Camera(peak=peak, **options)


def camera_matrix() -> NDArray[np.float64]:
    """Return the matrix from linear sRGB to a camera's RGB, ``(3, 3)``; white stays white (Brooks et al. 2019)."""
    found: NDArray[np.float64] = _FROM_XYZ.mean(0) @ _TO_XYZ
    found /= found.sum(1, keepdims=True)
    return found


def to_light(values: NDArray[np.float64], curve: str) -> NDArray[np.float64]:
    """Return light of display values, both from 0 to 1; see `Camera.curve`."""
    if curve == "linear":
        return values
    if curve == "bt709":
        return np.where(values < 0.081, values / 4.5, ((np.maximum(values, 0) + 0.099) / 1.099) ** (1 / 0.45))
    return np.where(values <= 0.04045, values / 12.92, ((np.maximum(values, 0) + 0.055) / 1.055) ** 2.4)


def from_light(light: NDArray[np.float64], curve: str) -> NDArray[np.float64]:
    """Return display values of light, both from 0 to 1; see `Camera.curve`."""
    if curve == "linear":
        return light
    if curve == "bt709":
        return np.where(light < 0.018, light * 4.5, 1.099 * np.maximum(light, 0) ** 0.45 - 0.099)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * np.maximum(light, 0) ** (1 / 2.4) - 0.055)


def frame_draw(seed: int, name: str, number: int) -> FrameDraw:
    """Return the randomness of a frame of a clip: its own noise, and the sensor that all frames of the clip share."""
    return FrameDraw(generator(seed, "film", name, number), (seed, "sensor", name))


def film_frame(
    camera: Camera, frame: NDArray[np.uint8], seed: int, number: int, name: str = "clip"
) -> NDArray[np.uint8]:
    """Return one frame of `film`, whatever the others are."""
    clean = EIGHT_BITS.decode(frame[None] if frame.ndim == 2 else frame.transpose(2, 0, 1))
    noisy = EIGHT_BITS.encode(camera.sample(clean, frame_draw(seed, name, number)))
    return noisy[0] if frame.ndim == 2 else np.ascontiguousarray(noisy.transpose(1, 2, 0))


def film(camera: Camera, frames: NDArray[np.uint8], seed: int, name: str = "clip") -> NDArray[np.uint8]:
    """Return clean frames as a camera records them.

    Parameters
    ----------
    camera
        The camera.
    frames
        ``(T, H, W, 3)``, or ``(T, H, W)`` for a monochrome camera, uint8.
    seed, name
        Of the draws: a frame's depends on these and its number alone.

    Returns
    -------
    noisy
        Of the same shape.
    """
    return np.stack([film_frame(camera, frame, seed, number, name) for number, frame in enumerate(frames)])
