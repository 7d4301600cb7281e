"""Moving scenes rendered from photographs, with their true motion.

A scene is a stack of layers: a photograph behind, and pieces cut out of other photographs before it. Each
layer moves by an affine map of its own. Every frame, the first too, is taken from the originals at about
the same reduction and with the same anti-aliasing, so no frame is blurrier than another.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from self2align.stores.scene import Truth

Original = NDArray[np.uint8]
Points = NDArray[np.float64]

_OFFSETS = (-2, -1, 1, 2)
_SAMPLES = 4  # a pixel is the mean of 4 x 4 samples: its area, as on a sensor, and smooth outlines
# Blur (sigma) of the originals before sampling, px of the frame, as a lens gives. With it, frames warped by
# their true field match at 42 to 57 dB (cubic; 3 dB more with Lanczos, so it is the warp that limits).
_LENS = 0.5


@dataclass(frozen=True)
class Layer:
    """One thing that moves, and how.

    At time ``s`` (frames from the middle of the scene) the pixel ``u`` of the frame shows this point of
    the photograph: ``anchor + reduction / zoom**s * R(-turn * s) (u - position - velocity * s - shake(s))``.

    Attributes
    ----------
    photo
        Name of the photograph.
    anchor
        Point of the photograph that stays in the middle of the motion, ``(x, y)``, px of the photograph.
    position
        Where it is in the frame at time 0, ``(x, y)``, px of the frame.
    velocity
        ``(x, y)``, px of the frame per frame.
    turn
        Clockwise rotation, degrees a frame.
    zoom
        Growth a frame, a factor.
    shake
        Standard deviation of the frame's own displacement, as of a hand-held camera, px of the frame.
    reduction
        Pixels of the photograph per pixel of the frame at time 0.
    radius
        Of the piece that is cut out, px of the photograph; None for the whole photograph.
    """

    photo: str
    anchor: tuple[float, float]
    position: tuple[float, float]
    velocity: tuple[float, float] = (0.0, 0.0)
    turn: float = 0.0
    zoom: float = 1.0
    shake: float = 0.0
    reduction: float = 1.6
    radius: float | None = None


@dataclass(frozen=True)
class Recipe:
    """A scene to render: its layers from back to front, its length, its size (px), its seed for shakes."""

    layers: tuple[Layer, ...]
    seed: int
    length: int = 8
    height: int = 192
    width: int = 256


@dataclass(frozen=True)
class _Placed:
    """A layer at one time: ``point = anchor + matrix @ (pixel - position)``."""

    layer: Layer
    position: Points
    matrix: Points

    def to_photo(self, pixels: Points) -> Points:
        """Return the points of the photograph that pixels ``(..., 2)`` of the frame show."""
        points: Points = np.asarray(self.layer.anchor) + (pixels - self.position) @ self.matrix.T
        return points

    def to_frame(self, points: Points) -> Points:
        """Return the pixels of the frame at which points of the photograph are."""
        pixels: Points = (points - np.asarray(self.layer.anchor)) @ np.linalg.inv(self.matrix).T + self.position
        return pixels

    def covers(self, points: Points) -> NDArray[np.bool_]:
        """Whether points of the photograph belong to the layer: inside a rounded, uneven outline."""
        if self.layer.radius is None:
            return np.ones(points.shape[:-1], dtype=np.bool_)
        x, y = np.moveaxis(points - np.asarray(self.layer.anchor), -1, 0)
        angle = np.arctan2(y, x)
        outline = 1.0 + 0.15 * np.sin(2.0 * angle + 0.7) + 0.10 * np.sin(3.0 * angle) + 0.04 * np.sin(7.0 * angle)
        covered: NDArray[np.bool_] = np.hypot(x, y) < self.layer.radius * outline
        return covered


def place(recipe: Recipe, index: int) -> list[_Placed]:
    """Return a scene's layers at frame ``index``, from back to front."""
    time = index - (recipe.length - 1) / 2.0
    placed = []
    for number, layer in enumerate(recipe.layers):
        shakes = np.random.default_rng((recipe.seed, number)).normal(0.0, 1.0, (recipe.length, 2))
        position = np.add(layer.position, np.multiply(layer.velocity, time)) + layer.shake * shakes[index]
        angle = np.deg2rad(-layer.turn * time)
        rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        placed.append(_Placed(layer, position, layer.reduction / layer.zoom**time * rotation))
    return placed


def render(recipe: Recipe, indices: Sequence[int], load: Callable[[str], Original]) -> tuple[NDArray[np.uint8], Truth]:
    """Render frames of a scene, and the true motion between them.

    Parameters
    ----------
    recipe
        The scene.
    indices
        The frames that are wanted, of ``range(recipe.length)``.
    load
        Returns a photograph by name, ``(H, W, 3)``, uint8.

    Returns
    -------
    frames
        ``(T, 3, height, width)``, uint8.
    truth
        For pairs of the wanted frames that are 1 or 2 apart, numbered as they stand in ``frames``.
    """
    originals = [_blurred(load(layer.photo), layer.reduction) for layer in recipe.layers]
    times = [place(recipe, index) for index in indices]
    frames = np.stack([_frame(recipe, placed, originals) for placed in times])
    pairs = [
        (target, target + offset)
        for target in range(len(times))
        for offset in _OFFSETS
        if 0 <= target + offset < len(times)
    ]
    shape = (recipe.height, recipe.width)
    transfer = np.zeros((len(pairs), 2, *shape), dtype=np.float32)
    occluded = np.zeros((len(pairs), *shape), dtype=np.bool_)
    for row, (target, source) in enumerate(pairs):
        transfer[row], occluded[row] = true_motion(times[target], times[source], shape)
    targets, sources = np.array(pairs, dtype=np.int32).reshape(-1, 2).T
    return frames, Truth(np.ascontiguousarray(targets), np.ascontiguousarray(sources), transfer, occluded)


def _blurred(original: Original, reduction: float) -> NDArray[np.float32]:
    """Return a photograph as float32, blurred as the lens of the rendered camera would."""
    blurred: NDArray[np.float32] = np.empty(original.shape, dtype=np.float32)
    sigma = _LENS * reduction
    cv2.GaussianBlur(original.astype(np.float32), (0, 0), sigma, dst=blurred)
    return blurred


def _frame(recipe: Recipe, placed: list[_Placed], originals: list[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """Render one frame, ``(3, height, width)``, uint8."""
    samples = _grid(recipe.height * _SAMPLES, recipe.width * _SAMPLES)
    samples = (samples + 0.5) / _SAMPLES - 0.5
    canvas = np.zeros((*samples.shape[:2], 3), dtype=np.float32)
    for layer, original in zip(placed, originals, strict=True):
        rows, columns = _window(layer, samples)
        points = layer.to_photo(samples[rows, columns])
        covered = layer.covers(points)
        if layer.layer.radius is None:
            limit = np.array([original.shape[1], original.shape[0]]) - 3.0
            assert points.min() >= 2.0, (layer.layer, points.min())
            assert (points <= limit).all(), (layer.layer, points.max(axis=(0, 1)), limit)
        x, y = np.moveaxis(points.astype(np.float32), -1, 0)
        colors = cv2.remap(original, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
        canvas[rows, columns][covered] = colors[covered]
    pixels = cv2.resize(canvas, (recipe.width, recipe.height), interpolation=cv2.INTER_AREA)
    rounded = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(rounded.transpose(2, 0, 1))


def _window(placed: _Placed, samples: Points) -> tuple[slice, slice]:
    """Return the rows and columns of the samples that a layer may cover: the whole photograph, or a disc."""
    height, width = samples.shape[:2]
    if placed.layer.radius is None:
        return slice(0, height), slice(0, width)
    # The outline reaches 1.29 radii at most.
    reach = 1.3 * placed.layer.radius / np.sqrt(np.linalg.det(placed.matrix))
    low = np.floor((placed.position - reach) * _SAMPLES).astype(int)
    high = np.ceil((placed.position + reach) * _SAMPLES).astype(int) + _SAMPLES
    left, top = np.clip(low, 0, (width, height))
    right, bottom = np.clip(high, 0, (width, height))
    return slice(top, bottom), slice(left, right)


def true_motion(
    target: list[_Placed], source: list[_Placed], shape: tuple[int, int]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the transfer field and the occlusion between two times of a scene, in closed form.

    Every pixel of the target belongs to the foremost layer that covers its centre; it moves with it. It is
    occluded where it leaves the frame, or where the source shows another layer at that place.

    Returns
    -------
    transfer
        ``(2, H, W)``, px, x first.
    occluded
        ``(H, W)``, bool.
    """
    pixels = _grid(*shape)
    owner = foremost(target, pixels)
    moved = np.zeros_like(pixels)
    for number, (here, there) in enumerate(zip(target, source, strict=True)):
        mine = owner == number
        moved[mine] = there.to_frame(here.to_photo(pixels[mine]))
    last = np.array([shape[1] - 1, shape[0] - 1])
    # A millionth of a pixel is rounding, not leaving.
    outside = ((moved < -1e-6) | (moved > last + 1e-6)).any(axis=-1)
    occluded = outside | (foremost(source, moved) != owner)
    return np.moveaxis(moved - pixels, -1, 0).astype(np.float32), occluded


def foremost(placed: list[_Placed], pixels: Points) -> NDArray[np.int64]:
    """Return the number of the layer that is seen at pixels ``(..., 2)``."""
    owner = np.zeros(pixels.shape[:-1], dtype=np.int64)
    for number, layer in enumerate(placed):
        owner[layer.covers(layer.to_photo(pixels))] = number
    return owner


def _grid(height: int, width: int) -> Points:
    """Return pixel centres, ``(height, width, 2)``, x first."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    return np.stack([x, y], axis=-1)
