"""The store of aligned pairs: one row for each crop of (target, neighbour).

::

    pairs.zarr
      pairs/
        target      (pair, channel, y, x)            the noisy target, as held in the noisy frames
        source      (pair, channel, y + 2m, x + 2m)  the untouched neighbour, with a margin m for motion
        warped      (pair, channel, y, x)            gain * (source sampled by the transfer field) + offset
        transfer    (pair, 2, y, x)                  px, x first: aligned(x) = source(x + transfer(x))
        confidence  (pair, y, x)                     in [0, 1]
        ssim, ssim_filtered, gain, offset, noise_gain, noise_read, noise_white, scene, role,
        target_frame, source_frame, top, left        (pair)

``scene`` counts into the root's attribute ``scenes``.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray

from self2align import __version__
from self2align.runtime.progress import Progress
from self2align.stores.build import ArraySpec, Fill, Table, build, rows_per_shard
from self2align.stores.codes import Coding
from self2align.stores.damaged import as_line
from self2align.stores.frames import open_store

KIND = "self2align pairs 3"
_WHOLE = "a whole store of pairs"
GROUP = "pairs"
CONFIDENCE = Coding("uint8", 1 / 255)
ROLES = ("pairs", "validation")
COLUMNS = {
    "ssim": ("float32", "1", "SSIM of warped and target (equation 7)"),
    "ssim_filtered": ("float32", "1", "SSIM with the noise taken out"),
    "gain": ("float32", "1", "exposure: target = gain * aligned source + offset"),
    "offset": ("float32", "1", "exposure: target = gain * aligned source + offset"),
    "noise_gain": ("float32", "1", "noise variance of the target = noise_gain * value + noise_read"),
    "noise_read": ("float32", "1", "noise variance of the target = noise_gain * value + noise_read"),
    "noise_white": ("float32", "1", "1 where the noise is independent from pixel to pixel, 0 where pixels share it"),
    "scene": ("int32", "1", "index into the root's attribute scenes"),
    "role": ("int8", "1", "0 pairs, 1 validation"),
    "target_frame": ("int32", "1", "frame number within the scene"),
    "source_frame": ("int32", "1", "frame number within the scene"),
    "top": ("int32", "px", "first row of the crop in the frame"),
    "left": ("int32", "px", "first column of the crop in the frame"),
}


def table(rows: int, crop: int, margin: int, channels: int, noisy: Coding, warped: Coding, group_rows: int) -> Table:
    """Return the layout.

    Parameters
    ----------
    rows
        Number of pairs.
    crop, margin
        px.
    channels
        C.
    noisy, warped
        How noisy frames, and warped ones, are held.
    group_rows
        Rows that are made together (crops of one target and one source): no shard divides them.
    """
    wide = crop + 2 * margin
    size = channels * (crop**2 * 4 + wide**2 * 2) + crop**2 * 5
    values = {"units": "1 (white is 1.0)"}
    planes = ("channel", "y", "x")
    arrays = {
        "target": ArraySpec(
            noisy.dtype,
            (channels, crop, crop),
            planes,
            {**noisy.attributes(), **values, "long_name": "target"},
        ),
        "source": ArraySpec(
            noisy.dtype,
            (channels, wide, wide),
            ("channel", "y_source", "x_source"),
            {
                **noisy.attributes(),
                **values,
                "long_name": "untouched neighbour with margin",
                "margin": margin,
            },
        ),
        "warped": ArraySpec(
            warped.dtype,
            (channels, crop, crop),
            planes,
            {**warped.attributes(), **values, "long_name": "neighbour aligned to the target"},
        ),
        "transfer": ArraySpec(
            "float16",
            (2, crop, crop),
            ("component", "y", "x"),
            {"units": "px", "long_name": "transfer field, x first"},
        ),
        "confidence": ArraySpec(
            CONFIDENCE.dtype,
            (crop, crop),
            ("y", "x"),
            {**CONFIDENCE.attributes(), "units": "1", "long_name": "confidence in the alignment, 0 to 1"},
        ),
    }
    for name, (dtype, units, text) in COLUMNS.items():
        arrays[name] = ArraySpec(dtype, attributes={"units": units, "long_name": text})
    return Table(GROUP, "pair", rows, rows_per_shard(size, group_rows), arrays)


def write_pairs(
    final: Path, layout: Table, fill: Fill, attributes: Mapping[str, Any], scratch: Path, progress: Progress
) -> dict[str, NDArray[Any]]:
    """Write a store of pairs; return its columns."""
    root = {**attributes, "kind": KIND, "version": __version__}
    return build(final, [layout], fill, root, scratch, progress)[GROUP]


class PairStore:
    """A store of pairs, open for reading. See `self2align.stores.frames.open_store`."""

    def __init__(self, path: Path, check: bool = True) -> None:
        self.path = path
        self.root = open_store(path, KIND, check)
        with as_line(path, _WHOLE):
            self.attributes: dict[str, Any] = dict(self.root.attrs)
            self.content = str(self.attributes["content"])
            self.scenes: Sequence[str] = list(self.attributes["scenes"])
            self.columns = {name: np.asarray(self.array(name)[:]) for name in COLUMNS}
            self.count = len(self.columns["ssim"])
            self.margin = int(self.array("source").attrs["margin"])  # type: ignore[arg-type]
            self.crop = int(self.array("target").shape[-1])
            self.channels = int(self.array("target").shape[1])

    def array(self, name: str) -> "zarr.Array[Any]":
        """Return one array."""
        with as_line(self.path, _WHOLE):
            array = self.root[f"{GROUP}/{name}"]
        if not isinstance(array, zarr.Array):
            raise ValueError(f"{self.path}: found no array {GROUP}/{name}, expected {_WHOLE}")
        return array

    def coding(self, name: str) -> Coding:
        """Return how an array is held."""
        array = self.array(name)
        return Coding.of(array.dtype, array.attrs)

    def values(self, name: str, start: int, stop: int) -> NDArray[np.float32]:
        """Return rows of an array as values, float32."""
        with as_line(self.path, _WHOLE):
            return self.coding(name).decode(np.asarray(self.array(name)[start:stop]))

    def shard_rows(self) -> int:
        """Return the number of rows in a shard: the unit in which reading is cheap."""
        shards = self.array("target").shards
        assert shards is not None
        return int(shards[0])

    def rows(self, role: str) -> NDArray[np.int64]:
        """Return the rows of a role (pairs or validation)."""
        return np.flatnonzero(self.columns["role"] == ROLES.index(role))

    def groups(self) -> NDArray[np.int64]:
        """Return the rows of each target crop, one for each of its neighbours, ``(targets, neighbours)``.

        -1 where a target, at an end of its scene, has fewer neighbours than others.
        """
        names = ("scene", "target_frame", "source_frame")
        keys = np.stack([self.columns[name] for name in names], axis=1)
        # Rows of one target and one source stand together, the same crops in the same order for every source.
        begins = np.r_[True, (keys[1:] != keys[:-1]).any(axis=1)]
        places = np.arange(self.count) - np.flatnonzero(begins)[np.cumsum(begins) - 1]
        owners = np.stack([keys[:, 0], keys[:, 1], places], axis=1)
        _, group, sizes = np.unique(owners, axis=0, return_inverse=True, return_counts=True)
        order = np.argsort(group, kind="stable")
        table = np.full((len(sizes), sizes.max()), -1, np.int64)
        ends = np.cumsum(sizes)
        table[group[order], np.arange(self.count) - (ends - sizes)[group[order]]] = order
        return table
