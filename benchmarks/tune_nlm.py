"""Choose the settings of non-local means on validation frames, never on test images.

Run after `make repro`: ``python benchmarks/tune_nlm.py data/synthesize/noisy.zarr data/ingest``.
"""

import argparse
from itertools import product
from pathlib import Path

import numpy as np

from self2align.evaluation.metrics import psnr
from self2align.images.levels import to_levels
from self2align.methods.nlm import nlm
from self2align.noise.model import NoiseSettings
from self2align.stores.frames import FrameStore

FRAMES = 3  # of each scene


def main() -> None:
    """Print mean PSNR over validation frames for each setting, best first."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("noisy", type=Path)
    parser.add_argument("frames", type=Path)
    chosen = parser.parse_args()
    store = FrameStore(chosen.noisy)
    sigma = NoiseSettings.recorded(store.attributes).at().level
    pairs = []
    for scene in store.with_role("validation"):
        clean_store = FrameStore(chosen.frames / f"{scene.source}.zarr")
        clean_scene = clean_store.scene(scene.title)
        for frame in np.linspace(0, scene.count - 1, FRAMES).astype(int).tolist():
            clean = clean_store.frames(clean_scene, frame, frame + 1)[0]
            pairs.append((to_levels(clean), store.frames(scene, frame, frame + 1)[0]))
    results = []
    for size, distance, strength in product((3, 5, 7), (6, 9, 13), (0.4, 0.5, 0.6, 0.7, 0.8, 1.0)):
        settings = {"patch_size": size, "patch_distance": distance, "strength": strength}
        found = [psnr(to_levels(nlm(noisy, sigma, **settings)), clean) for clean, noisy in pairs]
        results.append((float(np.mean(found)), size, distance, strength))
    print("| PSNR, dB | patch | distance | h over sigma |\n|---|---|---|---|")
    for value, size, distance, strength in sorted(results, reverse=True)[:10]:
        print(f"| {value:.2f} | {size} | {distance} | {strength} |")


if __name__ == "__main__":
    main()
