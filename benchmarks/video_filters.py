r"""FFmpeg's and OpenCV's filters on the sequences of the benchmark of video, tuned on other sequences, told sigma.

::

    python benchmarks/video_filters.py data/benchmark_videos/davis.zarr data/benchmark_videos/validation.zarr \
        filters.csv --sigma 30 --ffmpeg FFMPEG

The first store has the sequences that are measured; the middle frames of the second choose the settings: from those of
sigma, by steps to what scores higher (`climbing`). Both are outputs of the stage `benchmark_videos`, and their names
decide the noise, as in `benchmark_video`. The filters take 8 bits, so noisy frames are clipped and rounded first. Rows
are kept: a second call measures what is missing. ``pip install imageio-ffmpeg`` brings an FFmpeg with hqdn3d.
"""

import csv
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import numpy as np
from climbing import Settings, climb
from competitors import COMPETITORS, Clip
from typer import Argument, Option, run

from self2align.evaluation import video_protocol
from self2align.evaluation.metrics import psnr
from self2align.evaluation.video_measures import SequenceMeter
from self2align.evaluation.video_protocol import NoisyFrames
from self2align.images.files import write_png
from self2align.images.levels import to_levels
from self2align.stores.frames import FrameStore, SceneRecord

FILTERS = ("FFmpeg nlmeans", "FFmpeg bm3d", "FFmpeg hqdn3d", "OpenCV multi-frame NLM")
NEAR = 4  # frames before and after the one that settings are compared on: filters look back
HEADER = ("method", "set", "sequence", "sigma", "frames", "psnr", "ssim", "flicker", "settings")


def filtered(clip: Clip, name: str, settings: Settings, frames: Sequence[int]) -> np.ndarray:
    """Return frames of a filter; at the ends OpenCV's is given the frames on the other side again."""
    if not name.startswith("OpenCV"):
        return COMPETITORS[name].run(clip, settings, frames)
    more = settings["window"] // 2
    longer = np.pad(clip.noisy, ((more, more), (0, 0), (0, 0), (0, 0)), mode="reflect")
    return COMPETITORS[name].run(replace(clip, noisy=longer), settings, [frame + more for frame in frames])


@contextmanager
def clip_of(
    store: FrameStore, scene: SceneRecord, sigma: float, seed: int, ffmpeg: str, frames: range
) -> Iterator[Clip]:
    """Yield a sequence with the noise of the benchmark, as pictures of 8 bits."""
    sequence = video_protocol.Sequence(store.path.stem, scene.name, sigma)
    source = NoisyFrames(store, scene, sequence, seed)
    noisy = np.stack([to_levels(frame) for number, frame in enumerate(source) if number in frames])
    clean = to_levels(np.stack(source.clean)[frames.start : frames.stop])
    with TemporaryDirectory() as folder:
        for number, frame in enumerate(noisy):
            write_png(Path(folder) / f"{number:04d}.png", np.ascontiguousarray(frame.transpose(1, 2, 0)))
        values = noisy.astype(np.float32) / np.float32(255)
        yield Clip(Path(folder), values, clean, np.zeros((1, 3, 1, 1), np.float32), ffmpeg)


def tuned(store: FrameStore, name: str, sigma: float, seed: int, ffmpeg: str) -> Settings:
    """Return the settings that are best in the mean over the middle frames of all sequences."""
    with ExitStack() as stack:
        clips = []
        for scene in store.scenes:
            middle = scene.count // 2
            frames = range(max(0, middle - NEAR), min(scene.count, middle + NEAR + 1))
            clip = stack.enter_context(clip_of(store, scene, sigma, seed, ffmpeg, frames))
            clips.append((clip, middle - frames.start))

        def score(settings: Settings) -> float:
            made = [(filtered(clip, name, settings, [at])[0], clip.clean[at]) for clip, at in clips]
            return float(np.mean([psnr(to_levels(result), clean) for result, clean in made]))

        return climb(COMPETITORS[name].lattice(False), COMPETITORS[name].first(sigma), score)


def measure(
    store: Annotated[Path, Argument(help="Sequences to measure: data/benchmark_videos/SET.zarr.")],
    validation: Annotated[Path, Argument(help="Other sequences, to choose the settings on.")],
    out: Annotated[Path, Argument(help="Table to write or to go on with (.csv).")],
    sigma: Annotated[float, Option(help="Of the noise, on the scale of 0 to 255.")] = 30.0,
    seed: Annotated[int, Option(help="Of the noise: benchmark_video.seed.")] = 0,
    methods: Annotated[str, Option(help="Pattern over the filters' names.")] = "*",
    ffmpeg: Annotated[str, Option(help="The program FFmpeg, with hqdn3d.")] = "ffmpeg",
) -> None:
    """Write and print PSNR, SSIM and flicker of each filter on each sequence."""
    sequences, others = FrameStore(store), FrameStore(validation)
    known = list(csv.DictReader(out.open(encoding="utf-8"))) if out.exists() else []
    done = {(row["method"], row["set"], row["sequence"], row["sigma"]) for row in known}
    if not out.exists():
        out.write_text(",".join(HEADER) + "\n", encoding="utf-8")
    for name in (one for one in FILTERS if fnmatch(one, methods)):
        missing = [scene for scene in sequences.scenes if (name, store.stem, scene.name, f"{sigma:g}") not in done]
        settings = tuned(others, name, sigma, seed, ffmpeg) if missing else {}
        for scene in missing:
            meter = SequenceMeter()
            with clip_of(sequences, scene, sigma, seed, ffmpeg, range(scene.count)) as clip:
                results = filtered(clip, name, settings, range(scene.count))
                for result, clean in zip(results, clip.clean, strict=True):
                    meter.add(result, clean.astype(np.float32) / np.float32(255))
            flicker = "" if meter.flicker is None else f"{meter.flicker:.3f}"
            row = [name, store.stem, scene.name, f"{sigma:g}", meter.frames, f"{meter.psnr:.4f}", f"{meter.ssim:.5f}"]
            with out.open("a", newline="", encoding="utf-8") as file:
                csv.writer(file).writerow(
                    [*row, flicker, " ".join(f"{key}={value}" for key, value in settings.items())]
                )
            print(*row, flicker, flush=True)


if __name__ == "__main__":
    run(measure)
