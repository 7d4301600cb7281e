"""Chooses the test images of the visual comparison and reads the methods' pictures of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from self2align.images.files import read_image, to_color
from self2align.report.canvas import Picture, to_picture
from self2align.report.figures import Compared, busiest_crop
from self2align.stores.frames import FrameStore, SceneRecord


@dataclass(frozen=True)
class StoredImage:
    """One clean test image in its store."""

    test_set: str
    store: FrameStore
    scene: SceneRecord

    def picture_of(self, benchmark: Path, method: str) -> Path:
        """Return the path of the picture of it that a method saves."""
        return benchmark / method / "pictures" / self.test_set / f"{self.scene.name.replace('/', '-')}.png"


def choose_images(
    benchmark_sets: Path, benchmark: Path, sets: Sequence[str], methods: Sequence[str], most: int
) -> list[StoredImage]:
    """Return the images to compare.

    Parameters
    ----------
    benchmark_sets
        Folder of stores of clean images.
    benchmark
        Folder of the methods' pictures.
    sets, methods
        In order. Images without a picture of any method are left out.
    most
        At most so many images; they are taken from the sets in turn.
    """
    queues = []
    for name in sets:
        store = FrameStore(benchmark_sets / f"{name}.zarr")
        images = [StoredImage(name, store, scene) for scene in sorted(store.scenes, key=lambda scene: scene.name)]
        queues.append([image for image in images if any(image.picture_of(benchmark, m).is_file() for m in methods)])
    turns = [queue[turn] for turn in range(max(map(len, queues), default=0)) for queue in queues if turn < len(queue)]
    return sorted(turns[:most], key=lambda image: sets.index(image.test_set))


def _read_picture(path: Path, clean: Picture) -> Picture:
    image, white = read_image(path)
    picture = to_picture(to_color(image, "rgb").astype(np.float32) / white)
    if picture.shape != clean.shape:
        found, expected = (f"{one.shape[0]} x {one.shape[1]} px" for one in (picture, clean))
        raise ValueError(f"{path}: found {found}, expected {expected}, the size of the clean image")
    return picture


def compare(
    images: Sequence[StoredImage],
    benchmark: Path,
    methods: Sequence[str],
    scores: Mapping[tuple[str, str, str], tuple[float, float]],
    size: int,
) -> tuple[list[Compared], list[str]]:
    """Return the images of the comparison, and "method: set/image" of each missing picture.

    Parameters
    ----------
    images
        See `choose_images`.
    benchmark
        Folder of the methods' pictures.
    methods
        In order.
    scores
        (method, set, image) -> PSNR and SSIM in the first repeat.
    size
        Side of the crops, px.
    """
    compared, missing = [], []
    for image in images:
        clean = to_picture(image.store.frames(image.scene, 0, 1)[0])
        box = busiest_crop(clean, size)
        crops = {}
        for method in methods:
            path = image.picture_of(benchmark, method)
            if path.is_file():
                crops[method] = box.of(_read_picture(path, clean)).copy()
            else:
                missing.append(f"{method}: {image.test_set}/{image.scene.name}")
        keys = {method: (method, image.test_set, image.scene.name) for method in methods}
        known = {method: scores[key] for method, key in keys.items() if key in scores}
        compared.append(Compared(f"{image.test_set}: {image.scene.name}", clean, box, crops, known))
    return compared, missing
