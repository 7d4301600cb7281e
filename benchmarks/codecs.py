"""Size and speed of codecs for stored noisy frames, measured on those of the sample.

Run after `make repro`: ``python benchmarks/codecs.py data/synthesize/noisy.zarr``. Medians of three; one thread.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from self2align.stores.frames import FrameStore

SHUFFLES = {"plain": blosc.NOSHUFFLE, "shuffle": blosc.SHUFFLE, "bits": blosc.BITSHUFFLE}


def timed(work: Callable[[bytes], bytes], chunks: Sequence[bytes]) -> tuple[float, list[bytes]]:
    """Return the median seconds of three rounds over all chunks, and the last round's results."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        results = [work(chunk) for chunk in chunks]
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), results


def as_types(frames: NDArray[np.float32], codes: NDArray[np.uint16]) -> dict[str, NDArray[np.generic]]:
    """Return the frames in each type that can store them."""
    return {
        "uint16 (scale and offset)": codes,
        "float16": frames.astype(np.float16),
        "uint8 (clipped, rounded)": np.rint(np.clip(frames, 0, 1) * 255).astype(np.uint8),
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("store", type=Path)
    store = FrameStore(parser.parse_args().store)
    blosc.set_nthreads(1)
    scene = max(store.scenes, key=lambda one: one.height * one.width)
    codes, frames = store.codes(scene, 0, 8), store.frames(scene, 0, 8)
    print(f"{scene.title}: {codes.shape}")
    print("| held as | codec | ratio | bytes a value | write MB/s | read MB/s |")
    print("|---|---|---|---|---|---|")
    for name, array in as_types(frames, codes).items():
        chunks = [np.ascontiguousarray(frame).tobytes() for frame in array]
        for codec, level, (text, shuffle) in product(("lz4", "zstd"), (1, 5), SHUFFLES.items()):
            pack = partial(
                blosc.compress, cname=codec.encode(), clevel=level, shuffle=shuffle, typesize=array.dtype.itemsize
            )
            write, packed = timed(pack, chunks)
            read, _ = timed(blosc.decompress, packed)
            size = sum(len(one) for one in packed)
            print(
                f"| {name} | {codec}-{level} {text} | {array.nbytes / size:.2f} | {size / array.size:.2f} "
                f"| {array.nbytes / write / 1e6:.0f} | {array.nbytes / read / 1e6:.0f} |"
            )


if __name__ == "__main__":
    main()
