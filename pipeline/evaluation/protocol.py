"""The benchmark's protocol (Neighbor2Neighbor, section 4.1 and its code): the same noisy pixels for every method.

One NumPy stream, seeded once, runs over all sets in order, all repeats of a set, all its images sorted by name.
A quick run measures the first repeat of each set alone, with the noise that the full run gives it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.denoising.inference import denoise, load_denoiser
from self2align.evaluation.metrics import WINDOW, psnr, ssim
from self2align.images.files import write_png
from self2align.images.levels import to_levels
from self2align.methods import EXTRAS, METHODS
from self2align.runtime.devices import device
from self2align.runtime.families import load
from self2align.runtime.scratch import write_json
from self2align.stores.frames import FrameStore, opened

State = tuple[str, NDArray[np.uint32], int, int, float]
Image = NDArray[np.float32]
Denoise = Callable[[Image], Image]


@dataclass(frozen=True)
class Item:
    """One image in one repeat, with the state of the stream that gives its noise."""

    test_set: str
    image: str
    repeat: int
    state: State


@dataclass(frozen=True)
class BenchmarkSet:
    """A set of clean images and the number of its repeats in the published protocol."""

    name: str
    store: Path
    repeats: int


def _noise(stream: np.random.RandomState, clean: Image, model: str, sigma: float, peak: float) -> Any:
    # Images are (H, W, C) in the published code: the draws run in that order.
    image: NDArray[Any] = clean.transpose(1, 2, 0)
    if model in ("poisson", "poisson_gaussian"):
        image = stream.poisson(peak * image) / peak
    if model in ("gaussian", "poisson_gaussian"):
        image = image + stream.normal(size=image.shape) * (sigma / 255)
    return image.astype(np.float32).transpose(2, 0, 1)


def plan_items(
    sets: Sequence[BenchmarkSet], *, seed: int, full: bool, model: str, sigma: float, peak: float
) -> list[Item]:
    """Return what is measured, in order.

    Parameters
    ----------
    sets
        In the order of the published tables: the stream runs over them.
    seed
        Of the stream (101 in the published code).
    full
        All repeats, or the first of each set.
    model, sigma, peak
        Noise; see `self2align.noise.models`.

    Raises
    ------
    ValueError
        When an image is smaller than SSIM's window.
    """
    stream = np.random.RandomState(seed)
    items = []
    for number, test_set in enumerate(sets):
        store = FrameStore(test_set.store)
        _check_sizes(store)
        # What follows the last set that is measured need not be drawn.
        last = number == len(sets) - 1
        for repeat in range(test_set.repeats if full or not last else 1):
            for scene in sorted(store.scenes, key=lambda scene: scene.name):
                if full or repeat == 0:
                    state: Any = stream.get_state(legacy=True)
                    items.append(Item(test_set.name, scene.name, repeat, state))
                if model == "gaussian":
                    stream.normal(size=(scene.height, scene.width, store.codes(scene, 0, 1).shape[1]))
                else:
                    _noise(stream, store.frames(scene, 0, 1)[0], model, sigma, peak)
    return items


def _check_sizes(store: FrameStore) -> None:
    for scene in store.scenes:
        if min(scene.height, scene.width) < WINDOW:
            raise ValueError(
                f"{store.path}: {scene.name}: found {scene.height} x {scene.width} px, expected at least "
                f"{WINDOW} px a side, which is SSIM's window (benchmark_sets.{scene.source}.glob can leave it out)"
            )


@lru_cache(maxsize=1)
def _denoiser(path: Path, made: int) -> Denoise:
    network, _ = load_denoiser(path, device())
    return partial(denoise, network, square=True, device=device())


def noise_level(model: str, sigma: float, peak: float) -> float:
    """Return what methods that want the noise level are told: its standard deviation, white being 1.0.

    Read and shot noise together, the latter at middle gray.
    """
    return float(np.hypot(sigma / 255 * ("gaussian" in model), (0.5 / peak) ** 0.5 * ("poisson" in model)))


def missing_package(method: str) -> str | None:
    """Return the package that a method alone needs and that is not installed; None if it lacks nothing."""
    package = EXTRAS.get(method)
    return package if package and find_spec(package) is None else None


def ready_method(method: str, file: Path, arguments: dict[str, Any], level: float) -> Denoise:
    """Return what denoises one image, ``(C, H, W)``, white being 1.0.

    Parameters
    ----------
    method, file, arguments
        A name in `self2align.methods.METHODS`, or "denoiser" with the file of its weights.
    level
        A `noise_level`.
    """
    if method == "denoiser":
        return _denoiser(file.resolve(), file.stat().st_mtime_ns)
    return partial(load(METHODS, method, "method"), sigma=level, **arguments)


def read_item(item: Item, store: Path, model: str, sigma: float, peak: float) -> tuple[Image, Image]:
    """Return the clean image and the noisy one, ``(C, H, W)``, white being 1.0; the noisy one unclipped.

    Parameters
    ----------
    item
        Which.
    store
        Clean images.
    model, sigma, peak
        Noise.
    """
    images = opened(store)
    scene = next(scene for scene in images.scenes if scene.name == item.image)
    clean = images.frames(scene, 0, 1)[0]
    stream = np.random.RandomState()
    stream.set_state(item.state)
    return clean, _noise(stream, clean, model, sigma, peak)


def measure(
    item: Item,
    store: Path,
    method: str,
    file: Path,
    arguments: dict[str, Any],
    model: str,
    sigma: float,
    peak: float,
    picture: Path | None,
    marker: Path,
) -> None:
    """Denoise one image and write its figures; a marker that is there already is kept.

    Parameters
    ----------
    item
        What.
    store
        Clean images.
    method, file, arguments
        See `ready_method`.
    model, sigma, peak
        Noise.
    picture
        PNG of the result to write, or None.
    marker
        JSON file to write.
    """
    if marker.exists() and (picture is None or picture.exists()):
        return
    clean, noisy = read_item(item, store, model, sigma, peak)
    denoised = ready_method(method, file, arguments, noise_level(model, sigma, peak))(noisy)
    levels, wanted = to_levels(denoised), to_levels(clean)
    if picture is not None:
        write_png(picture, np.ascontiguousarray(levels.transpose(1, 2, 0).repeat(3 // len(levels), axis=2)))
    write_json(marker, {"psnr": psnr(levels, wanted), "ssim": ssim(levels, wanted)})
