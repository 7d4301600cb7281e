"""The benchmark's protocol (Neighbor2Neighbor, section 4.1 and its code): the same noisy pixels for every method.

One NumPy stream, seeded once, runs over all sets in order, all repeats of a set, and its images sorted by name. A quick
run measures only the first repeat of each set, with the noise that the full run gives it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.denoising.inference import denoise, load_denoiser
from self2align.evaluation.metrics import WINDOW, psnr, ssim
from self2align.images.files import write_png
from self2align.images.levels import to_levels
from self2align.methods.method import DENOISER, load_method, method_name, missing_package
from self2align.noise.model import NoiseSettings, PublishedDraw
from self2align.runtime.devices import device
from self2align.runtime.scratch import write_json
from self2align.stores.frames import FrameStore, SceneRecord, opened

State = tuple[str, NDArray[np.uint32], int, int, float]
Image = NDArray[np.float32]
DenoiseImage = Callable[[Image], Image]


@dataclass(frozen=True)
class MethodRow:
    """One row of the benchmark's table.

    Attributes
    ----------
    name
        Of the row.
    file
        A method's module, or weights; see `self2align.methods.method.method_name`.
    arguments
        Keyword arguments that differ from the method's defaults.
    """

    name: str
    file: Path
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """Return the method: "denoiser" for weights."""
        return method_name(str(self.file))

    def check_file(self) -> None:
        """Check that the file exists.

        Raises
        ------
        ValueError
            If it does not.
        """
        if not self.file.is_file():
            raise ValueError(f"benchmark.methods.{self.name}.file: found no {self.file}, expected a module or weights")

    def skip_reason(self) -> str | None:
        """Return why it cannot be measured here although nothing is wrong; None if it can."""
        package = missing_package(self.method)
        if package is not None:
            return f"package {package} is not installed"
        return None if self.file.stat().st_size else "the baseline was not trained"

    def ready(self, level: float) -> DenoiseImage:
        """Return a function that denoises one image, ``(C, H, W)``, white being 1.0.

        Parameters
        ----------
        level
            Standard deviation that the method is told, white being 1.0; see `self2align.noise.model.NoiseModel`.
        """
        if self.method == DENOISER:
            return _denoiser(self.file.resolve(), self.file.stat().st_mtime_ns)
        return partial(load_method(self.method).denoise, sigma=level, **self.arguments)


@lru_cache(maxsize=1)
def _denoiser(path: Path, modified: int) -> DenoiseImage:
    network, _ = load_denoiser(path, device())
    return partial(denoise, network, square=True, device=device())


@dataclass(frozen=True)
class Item:
    """One image in one repeat, with the state of the stream that gives its noise."""

    test_set: str
    image: str
    repeat: int
    state: State


@dataclass(frozen=True)
class BenchmarkSet:
    """A set of clean images and its number of repeats in the published protocol."""

    name: str
    store: Path
    repeats: int


def plan_items(sets: Sequence[BenchmarkSet], *, seed: int, full: bool, noise: NoiseSettings) -> list[Item]:
    """Return what is measured, in order.

    Parameters
    ----------
    sets
        In the order of the published tables: the stream runs over them.
    seed
        Of the stream (101 in the published code).
    full
        All repeats, or only the first of each set.
    noise
        The noise of the test images.

    Raises
    ------
    ValueError
        If an image is smaller than SSIM's window.
    """
    stream, model = np.random.RandomState(seed), noise.at()
    items = []
    for number, test_set in enumerate(sets):
        store = FrameStore(test_set.store)
        _check_sizes(store)
        # Draws after the last measured set are not needed.
        last = number == len(sets) - 1
        for repeat in range(test_set.repeats if full or not last else 1):
            for scene in sorted(store.scenes, key=lambda scene: scene.name):
                if full or repeat == 0:
                    state: Any = stream.get_state(legacy=True)
                    items.append(Item(test_set.name, scene.name, repeat, state))
                model.sample(_clean(store, scene, model.signal_dependent), PublishedDraw(stream))
    return items


def _clean(store: FrameStore, scene: SceneRecord, needed: bool) -> NDArray[Any]:
    """Return a clean image, ``(C, H, W)``; only its shape if nothing else counts."""
    if needed:
        image: NDArray[np.float32] = store.frames(scene, 0, 1)[0]
        return image
    return np.zeros((store.channels(scene), scene.height, scene.width), np.float32)


def _check_sizes(store: FrameStore) -> None:
    for scene in store.scenes:
        if min(scene.height, scene.width) < WINDOW:
            raise ValueError(
                f"{store.path}: {scene.name}: found {scene.height} x {scene.width} px, expected at least "
                f"{WINDOW} px a side, the window of SSIM (benchmark_sets.{scene.source}.glob can leave it out)"
            )


def read_item(item: Item, store: Path, noise: NoiseSettings) -> tuple[Image, Image]:
    """Return the clean image and the noisy one, ``(C, H, W)``, white being 1.0; the noisy one unclipped.

    Parameters
    ----------
    item
        The image and the state of the stream.
    store
        Clean images.
    noise
        The noise of the test images.
    """
    images = opened(store)
    scene = next(scene for scene in images.scenes if scene.name == item.image)
    clean = images.frames(scene, 0, 1)[0]
    stream = np.random.RandomState()
    stream.set_state(item.state)
    return clean, noise.at().sample(clean, PublishedDraw(stream)).astype(np.float32)


def measure(item: Item, store: Path, row: MethodRow, noise: NoiseSettings, picture: Path | None, marker: Path) -> None:
    """Denoise one image and write its figures; an existing marker is kept.

    Parameters
    ----------
    item, store
        See `read_item`.
    row
        The method.
    noise
        The noise of the test images.
    picture
        PNG of the result to write, or None.
    marker
        JSON file to write: PSNR (dB) and SSIM.
    """
    if marker.exists() and (picture is None or picture.exists()):
        return
    clean, noisy = read_item(item, store, noise)
    result, expected = to_levels(row.ready(noise.at().level)(noisy)), to_levels(clean)
    if picture is not None:
        write_png(picture, np.ascontiguousarray(result.transpose(1, 2, 0).repeat(3 // len(result), axis=2)))
    write_json(marker, {"psnr": psnr(result, expected), "ssim": ssim(result, expected)})
