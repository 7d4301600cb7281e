"""Codecs for noisy frames at rest: size and speed on the sample's own noisy frames.

Run after `make repro`: ``python benchmarks/codecs.py data/synthesize/noisy.zarr``. Medians of three; one thread.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np
from numcodecs import blosc
from numpy.typing import NDArray

from pipeline.stores.frames import FrameStore

SHUFFLES = {"plain": blosc.NOSHUFFLE, "shuffle": blosc.SHUFFLE, "bits": blosc.BITSHUFFLE}


def timed(function, *arguments):  # type: ignore[no-untyped-def]  # a stopwatch for anything
    """Return the median seconds of three calls, and the last result."""
    seconds = []
    for _ in range(3):
        began = time.perf_counter()
        result = function(*arguments)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds), result


def as_types(frames: NDArray[np.float32], codes: NDArray[np.uint16]) -> dict[str, NDArray[np.generic]]:
    """Return the frames as each type that could hold them."""
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
        for codec in ("lz4", "zstd"):
            for level in (1, 5):
                for text, shuffle in SHUFFLES.items():
                    chunks = [np.ascontiguousarray(frame) for frame in array]
                    pack = lambda: [blosc.compress(c, codec.encode(), level, shuffle) for c in chunks]  # noqa: B023, E731
                    write, packed = timed(pack)
                    read, _ = timed(lambda: [blosc.decompress(one) for one in packed])  # noqa: B023
                    size = sum(len(one) for one in packed)
                    print(
                        f"| {name} | {codec}-{level} {text} | {array.nbytes / size:.2f} | {size / array.size:.2f} "
                        f"| {array.nbytes / write / 1e6:.0f} | {array.nbytes / read / 1e6:.0f} |"
                    )


if __name__ == "__main__":
    main()
