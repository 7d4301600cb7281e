"""Cuts of joined DAVIS sequences under light that flickers: how many are found, how many that are none.

``python benchmarks/cuts.py /data/DAVIS --orders 2``. Sequences of 12 to 31 frames each are joined in random orders.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from self2align.sources.cuts import HEIGHT, WIDTH, find_shots

Frames = NDArray[np.float32]
KINDS = (
    *("none", "noise 4.4", "noise 9", "gain 20 %", "gain 35 %", "beat", "fast beat", "seventh at 0.5"),
    *("seventh at 0.25", "every other at 0.6", "gain and offset", "color", "rising", "stepping", "flash", "white-out"),
)


def thumbnails(folder: Path) -> Frames:
    """Return the frames of a sequence, ``(T, HEIGHT, WIDTH, 3)``, levels of 255."""
    frames = (cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for file in sorted(folder.glob("*.jpg")))
    small = [cv2.resize(frame, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA) for frame in frames]
    return np.stack(small).astype(np.float32)


def lit(frames: Frames, kind: str, draw: np.random.Generator) -> NDArray[np.uint8]:
    """Return frames under a light of that kind, or with noise."""
    t = np.arange(len(frames))[:, None]
    gain, offset, flash = np.ones_like(t, float), np.zeros_like(t, float), np.isin(t % 23, (11, 12))
    match kind:
        case "noise 4.4" | "noise 9":
            frames = frames + draw.normal(0, float(kind.split()[1]), frames.shape)
        case "gain 20 %" | "gain 35 %":
            gain = 1 + float(kind.split()[1]) / 100 * draw.uniform(-1, 1, t.shape)
        case "beat" | "fast beat":
            gain = 1 + (0.2 * np.sin(2 * np.pi * t / 7.3) if kind == "beat" else 0.3 * np.sin(2 * np.pi * t / 2.3))
        case "seventh at 0.5" | "seventh at 0.25":
            gain = np.where(t % 7 == 3, float(kind.split()[2]), 1.0)
        case "every other at 0.6":
            gain = np.where(t % 2, 0.6, 1.0)
        case "gain and offset":
            gain, offset = 1 + draw.uniform(-0.2, 0.2, t.shape), draw.uniform(-15, 15, t.shape)
        case "color":
            gain = 1 + draw.uniform(-0.12, 0.12, (len(frames), 3))
        case "rising":
            gain = 0.25 + 0.75 * (t % 40) / 40
        case "stepping":
            gain = np.where(t // 15 % 2, 0.55, 1.0)
        case "flash":
            gain, offset = np.where(flash, 1.5, 1.0), np.where(flash, 60.0, 0.0)
        case "white-out":
            gain, offset = np.where(t % 23 == 11, 1.2, 1.0), np.where(t % 23 == 11, 150.0, 0.0)
    return np.clip(np.rint(frames * gain[:, None, None] + offset[:, None, None]), 0, 255).astype(np.uint8)


def starts(frames: NDArray[np.uint8]) -> set[int]:
    """Return the frames that start a shot, but the first."""
    return {start for start, _ in find_shots(frames)} - {0}


def joined(sequences: list[Frames], kind: str, orders: int) -> tuple[int, int, int, int]:
    """Return cuts, those missed, starts that are none, and steps within a sequence."""
    cuts = missed = false = steps = 0
    for order in range(orders):
        draw = np.random.default_rng((order, 5))
        parts = [sequences[at][: 12 + int(draw.integers(0, 20))] for at in draw.permutation(len(sequences))]
        true, whole = set(np.cumsum([len(part) for part in parts])[:-1].tolist()), np.concatenate(parts)
        found = starts(lit(whole, kind, draw))
        cuts, missed, false = cuts + len(true), missed + len(true - found), false + len(found - true)
        steps += len(whole) - 1 - len(true)
    return cuts, missed, false, steps


def dissolved(sequences: list[Frames], orders: int) -> tuple[int, int, int]:
    """Return dissolves of 12 frames, those found, and starts elsewhere."""
    count = hits = false = 0
    weight = (np.arange(1, 13) / 13)[:, None, None, None]
    for order in range(orders):
        chosen = np.random.default_rng((order, 6)).permutation(len(sequences))
        for one, other in zip(chosen[::2], chosen[1::2], strict=True):
            first, second = sequences[one], sequences[other]
            blend = first[20:32] * (1 - weight) + second[:12] * weight
            found = starts(np.rint(np.concatenate([first[:20], blend, second[12:30]])).astype(np.uint8))
            near = {at for at in found if 18 <= at <= 34}
            count, hits, false = count + 1, hits + bool(near), false + len(found - near)
    return count, hits, false


def main() -> None:
    """Print a row for each kind of light."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("davis", type=Path)
    parser.add_argument("--orders", type=int, default=2)
    args = parser.parse_args()
    sequences = [thumbnails(folder) for folder in sorted((args.davis / "JPEGImages/480p").iterdir())]
    print("| light | cuts | missed | starts that are none | steps |\n|---|---|---|---|---|")
    for kind in KINDS:
        print(f"| {kind} | {' | '.join(map(str, joined(sequences, kind, args.orders)))} |", flush=True)
    count, hits, false = dissolved(sequences, args.orders)
    print(f"dissolves: {hits} of {count} found, {false} starts elsewhere")


if __name__ == "__main__":
    main()
