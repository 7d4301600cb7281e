"""Everything that is tried, by name."""

import shutil
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np

from tests.bytes.arrays import array_case, store_case, unfinished_case
from tests.bytes.films import film_case
from tests.bytes.nets import checkpoint_case, weights_case
from tests.bytes.outcomes import Outcome
from tests.bytes.pictures import picture_case
from tests.bytes.texts import figures_case, list_case, params_case

Run = Callable[[np.random.Generator, Path], Iterator[Outcome]]

GROUPS: dict[str, Run] = {
    **{name: partial(picture_case, name) for name in ("png", "jpeg", "webp", "bmp", "tiff")},
    **{name: partial(film_case, name) for name in ("mp4", "mkv", "avi")},
    "zarr": array_case,
    "weights": weights_case,
    "checkpoints": checkpoint_case,
    "params": params_case,
    "lists": list_case,
    "stores": store_case,
    "figures": figures_case,
    "unfinished": unfinished_case,
}


def run_case(group: str, seed: int, number: int, folder: Path) -> list[Outcome]:
    """Run one case in a folder of its own, which is emptied first; three numbers decide everything about it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    draw = np.random.default_rng([seed, zlib.crc32(group.encode()), number])
    return list(GROUPS[group](draw, folder))
