"""Operations and bytes of every stage, from the code's own objects. Requests are not modelled."""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from self2align.alignment.aligned import align_both
from self2align.alignment.refined_dis import RefinedDis
from self2align.denoising.inference import MARGIN as EDGE
from self2align.denoising.tiled import TiledDenoiser
from self2align.media.spans import SEGMENT
from self2align.networks.unet import UNet
from self2align.pairs.plan import neighbours
from self2align.stores.build import Table, rows_per_shard
from self2align.stores.codes import Coding
from self2align.stores.pairs import table

# The defaults of params.yaml.
OFFSETS, TARGETS, CROPS, CROP, MARGIN = (1,), 16, 8, 128, 16
STEPS, BATCH, TRAIN_CROP = 3000, 8, 64
ALIGN_STEPS, ALIGN_BATCH, ALIGN_CROP = 600, 4, 192
NOISE_TARGETS = 5
IMAGES = {"Kodak": (24, 512, 768), "BSD300 test": (100, 321, 481)}


@dataclass(frozen=True)
class Footage:
    """Scenes of one length and size; ``source`` is the size of a frame in its file, bytes."""

    name: str
    scenes: int
    frames: int
    height: int
    width: int
    source: float

    @property
    def count(self) -> int:
        """Return the number of frames."""
        return self.scenes * self.frames

    @property
    def pixels(self) -> int:
        """Return the pixels of a frame."""
        return self.height * self.width


@dataclass(frozen=True)
class Stage:
    """What a stage does.

    Attributes
    ----------
    name
        Of the stage or tool.
    tasks
        Parts that can run anywhere; 1 for a training.
    units, unit
        What its CPU time follows, and the name of one.
    flops
        Of convolutions and matrix products.
    read, written
        Bytes before compression.
    kept
        Bytes written that are digested in one process at the end.
    """

    name: str
    tasks: int
    units: float
    unit: str
    flops: float
    read: float
    written: float
    kept: float = 0.0


@cache
def network_flops() -> float:
    """Return the operations of the default network for a pixel."""
    with torch.device("meta"):
        network, image = UNet(3), torch.empty(1, 3, 256, 256)
    with FlopCounterMode(display=False) as counter:
        network(image)
    return float(counter.get_total_flops()) / 256**2


@cache
def step_flops() -> float:
    """Return the operations of a training step of the default network for a pixel of its batch: there and back."""
    with torch.device("meta"):
        network, image = UNet(3), torch.empty(1, 3, 64, 64)
    with FlopCounterMode(display=False) as counter:
        torch.autograd.backward(network(image).sum())
    return float(counter.get_total_flops()) / 64**2


@cache
def align_flops() -> float:
    """Return the operations of the aligner for a pixel, both directions; OpenCV's DIS and the warps are not counted."""
    frame, aligner = torch.rand(3, 128, 128), RefinedDis(3).eval()
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        align_both(frame, frame, aligner, True, None)
    return float(counter.get_total_flops()) / 128**2


@cache
def looked_at(height: int, width: int) -> int:
    """Return the pixels that the network sees of a frame: margin, and tiles with halos under the default memory."""
    tiles = _denoiser().tiles_for(height + 2 * EDGE, width + 2 * EDGE)
    return sum(math.prod(side.stop - side.start for side in tile.window) for tile in tiles)


@cache
def _denoiser() -> TiledDenoiser:
    return TiledDenoiser(UNet(3).eval(), 3, device=torch.device("cpu"), memory=2 * 2**30)


def pair_rows(work: Footage) -> int:
    """Return the rows of the pair store."""
    return work.scenes * sum(len(sources) for _, sources in neighbours(work.frames, OFFSETS, TARGETS)) * CROPS


def pair_table(rows: int) -> Table:
    """Return the layout of the pair store."""
    coding = Coding("uint16", 1 / 2040)
    return table(rows, CROP, MARGIN, 3, coding, coding, CROPS)


def _row_bytes(layout: Table) -> int:
    return sum(math.prod(one.shape) * np.dtype(one.dtype).itemsize for one in layout.arrays.values())


def _shards(work: Footage, itemsize: int) -> tuple[int, int]:
    """Return the number of shards of a store of frames, and its bytes."""
    size = 3 * work.pixels * itemsize
    return math.ceil(work.count / rows_per_shard(size)), size * work.count


def stages(work: Footage) -> list[Stage]:
    """Return what every stage does with some footage, under the default parameters.

    `denoise` and `benchmark` count two passes of the network, for white noise of a known level; large frames of which
    no window is suspicious take little more than one (`self2align.denoising.stein`).
    """
    clean, clean_bytes = _shards(work, 1)
    noisy, noisy_bytes = _shards(work, 2)
    frame = noisy_bytes / work.count
    rows = pair_rows(work)
    layout = pair_table(rows)
    row_bytes = _row_bytes(layout)
    pairs = math.ceil(rows / layout.rows_per_shard)
    places = [target for target, _ in neighbours(work.frames, OFFSETS, TARGETS)]
    near = {place + step for place in places for step in (-1, 0, 1) if 0 <= place + step < work.frames}
    decoded = len(near) * work.scenes  # each once: a worker keeps eight
    links = {(min(a, b), max(a, b)) for a, around in neighbours(work.frames, OFFSETS, TARGETS) for b in around}
    alignments = len(links) * work.scenes
    measured = min(NOISE_TARGETS, work.frames) * work.scenes
    segments = math.ceil(work.frames / SEGMENT) * work.scenes
    megapixels = work.count * work.pixels / 1e6
    drawn = min(STEPS * BATCH, rows)
    train_pixels, align_pixels = STEPS * BATCH * TRAIN_CROP**2, ALIGN_STEPS * ALIGN_BATCH * ALIGN_CROP**2
    images = sum(count for count, _, _ in IMAGES.values())
    image_pixels = sum(count * looked_at(height, width) for count, height, width in IMAGES.values())
    image_megapixels = sum(math.prod(one) for one in IMAGES.values()) / 1e6
    aligned = ALIGN_STEPS * ALIGN_BATCH * 3 * 2 * ALIGN_CROP**2 * 2.0
    ingested = work.count * work.source
    seen = work.count * looked_at(work.height, work.width)
    step = step_flops()
    return [
        Stage("ingest", clean, megapixels, "Mpx", 0, ingested, clean_bytes, clean_bytes),
        Stage("synthesize", noisy, megapixels, "Mpx", 0, clean_bytes, noisy_bytes, noisy_bytes),
        Stage(
            "measure_noise",
            work.scenes,
            measured * work.pixels / 1e6,
            "Mpx of targets",
            0,
            3 * measured * frame,
            0,
        ),
        # Both directions of the aligner, a third of the operations forward; the loss's own are few.
        Stage("train_ian", 1, align_pixels / 1e6, "Mpx", 3 * align_flops() / 2 * align_pixels, aligned, 2e5),
        Stage(
            "generate_pairs",
            pairs,
            alignments * work.pixels / 1e6,
            "Mpx aligned",
            align_flops() * alignments * work.pixels,
            decoded * frame,
            rows * row_bytes,
            rows * row_bytes,
        ),
        # All arrays are decoded once, shard by shard, though a training draws fewer rows.
        Stage(
            "train_denoiser",
            1,
            train_pixels / 1e6,
            f"Mpx, {drawn} crops of {rows}",
            step * train_pixels,
            rows * row_bytes,
            4e6,
        ),
        Stage(
            "benchmark",
            images,
            image_megapixels,
            "Mpx",
            2 * network_flops() * image_pixels,
            image_megapixels * 3e6,
            0,
        ),
        Stage(
            "denoise",
            segments,
            megapixels,
            "Mpx",
            2 * network_flops() * seen,
            ingested,
            ingested,
        ),
    ]
