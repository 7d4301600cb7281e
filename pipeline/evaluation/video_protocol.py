"""The benchmark of video: the same noisy sequences for every method, measured frame by frame, in bounded memory.

The protocol is DVDnet's (Tassano et al. 2019): at most the first 85 frames of a sequence, white Gaussian noise that is
not clipped, PSNR of a sequence as the mean over its frames, then the mean over sequences. The noise of a frame follows
from the seed, the set, the sequence and the frame alone; all levels of noise have the same draws.
"""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from self2align.denoising.frames import choose_denoise
from self2align.denoising.tiled import TiledDenoiser, fits_channels
from self2align.evaluation.video_measures import SequenceMeter
from self2align.methods.method import DENOISER, load_method, method_name, missing_package
from self2align.runtime.devices import device
from self2align.runtime.sealed import is_whole, save_array, write_sealed
from self2align.runtime.seeding import generator
from self2align.stores.frames import FrameStore, SceneRecord, opened

Frame = NDArray[np.float32]
DenoiseVideo = Callable[[Iterator[Frame]], Iterator[Frame]]
KEY = "benchmark_video"  # of the seeds of the noise
MEMORY = 2048 * 2**20  # bytes for the network's tensors; the size of tiles must not depend on the machine
MOST = 85  # frames of a sequence, in the protocol


@dataclass(frozen=True)
class VideoRow:
    """One row of the table of video.

    Attributes
    ----------
    name
        Of the row.
    file
        A method's module, which denoises each frame alone and is told the level of the noise; or weights.
    temporal
        Neighbours each way, of weights.
    aligner
        Weights of the aligner of neighbours; None if ``file`` holds one.
    told
        Whether weights are told the level of the noise; else they measure it on each frame.
    arguments
        Keyword arguments that differ from the method's defaults.
    """

    name: str
    file: Path
    temporal: int = 0
    aligner: Path | None = None
    told: bool = False
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """Return the method: "denoiser" for weights."""
        return method_name(str(self.file))

    def check_files(self) -> None:
        """Check that the files exist.

        Raises
        ------
        ValueError
            If one does not.
        """
        for key, path in (("file", self.file), ("aligner", self.aligner)):
            if path is not None and not path.is_file():
                expected = "a module or weights" if key == "file" else "the weights that train_ian writes"
                raise ValueError(f"benchmark_video.methods.{self.name}.{key}: found no {path}, expected {expected}")

    def skip_reason(self) -> str | None:
        """Return why it cannot be measured here although nothing is wrong; None if it can."""
        package = missing_package(self.method)
        if package is not None:
            return f"package {package} is not installed"
        return None if self.file.stat().st_size else "the baseline was not trained"

    def ready(self, level: float, channels: int) -> DenoiseVideo:
        """Return a function that denoises frames in order, ``(C, H, W)``, white being 1.0.

        Parameters
        ----------
        level
            Standard deviation of the noise, white being 1.0.
        channels
            C of the frames.

        Raises
        ------
        ValueError
            If weights are for other frames, or have no aligner for neighbours.
        """
        if self.method != DENOISER:
            denoise = load_method(self.method).denoise
            return lambda frames: (denoise(frame, sigma=level, **self.arguments) for frame in frames)
        denoiser = _denoiser(self.file.resolve(), self.file.stat().st_mtime_ns)
        if not fits_channels(channels, denoiser.channels):
            raise ValueError(
                f"{self.file}: found weights for {denoiser.channels} channels, expected {channels} as of the frames"
            )
        # The noise of the sequences is not clipped, whatever that of the training was.
        run = choose_denoise(denoiser, radius=self.temporal, aligner=self.aligner or self.file, unclip=False)
        return lambda frames: run(frames, None, level if self.told else None)


@lru_cache(maxsize=1)
def _denoiser(path: Path, modified: int) -> TiledDenoiser:
    return TiledDenoiser.load(path, device=device(), memory=MEMORY)


@dataclass(frozen=True)
class VideoSet:
    """A set of clean sequences."""

    name: str
    store: Path


@dataclass(frozen=True)
class Sequence:
    """One sequence under one level of noise, of 255."""

    test_set: str
    name: str
    sigma: float

    @property
    def title(self) -> str:
        """Return set, sequence and sigma as one."""
        return f"{self.test_set}/{self.name}/{self.sigma:g}"


def standard_noise(seed: int, test_set: str, sequence: str, frame: int, shape: tuple[int, ...]) -> Frame:
    """Return the draws of a frame: standard normal, float32; noise is sigma times as much."""
    return generator(seed, KEY, test_set, sequence, frame).standard_normal(shape, np.float32)


@dataclass
class NoisyFrames:
    """The frames of a sequence with noise; the clean ones wait in ``clean`` until a result is measured.

    Attributes
    ----------
    store, scene
        Where the clean frames are.
    sequence, seed
        What decides the noise.
    clean
        Clean frames whose results have not come yet, oldest first.
    frames_digest, noise_digest
        SHA-256 of the clean frames as stored (``(T, C, H, W)``, little endian), and of the draws (float32).
    """

    store: FrameStore
    scene: SceneRecord
    sequence: Sequence
    seed: int
    clean: deque[Frame] = field(default_factory=deque)
    frames_digest: Any = field(default_factory=hashlib.sha256)
    noise_digest: Any = field(default_factory=hashlib.sha256)

    def __iter__(self) -> Iterator[Frame]:
        """Yield noisy frames, ``(C, H, W)``, white being 1.0, unclipped."""
        coding, one = self.store.coding(self.scene), self.sequence
        for number in range(self.scene.count):
            codes = self.store.codes(self.scene, number, number + 1)[0]
            clean = coding.decode(codes)
            draws = standard_noise(self.seed, one.test_set, one.name, number, clean.shape)
            self.frames_digest.update(_little(codes))
            self.noise_digest.update(_little(draws))
            self.clean.append(clean)
            yield clean + np.float32(one.sigma / 255) * draws


def _little(values: NDArray[Any]) -> bytes:
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def measure_sequence(sequence: Sequence, store: Path, row: VideoRow, seed: int, blocks: Path, marker: Path) -> None:
    """Denoise one sequence and write its figures; finished ones are kept.

    Parameters
    ----------
    sequence, seed
        What is denoised; the seed of the noise.
    store
        Clean frames.
    row
        The method.
    blocks
        Part to write: errors of blocks; see `self2align.evaluation.block_errors`.
    marker
        Part to write last: frames, PSNR (dB), SSIM, flicker (levels), digests of frames and noise.
    """
    if is_whole(marker) and is_whole(blocks):
        return
    frames = opened(store)
    scene = next(scene for scene in frames.scenes if scene.name == sequence.name)
    noisy, meter = NoisyFrames(frames, scene, sequence, seed), SequenceMeter()
    for result in row.ready(sequence.sigma / 255, frames.channels(scene))(iter(noisy)):
        meter.add(result, noisy.clean.popleft())
    assert meter.frames == scene.count, (meter.frames, scene.count)
    save_array(blocks, meter.blocks)
    figures = {
        "frames": meter.frames,
        "psnr": meter.psnr,
        "ssim": meter.ssim,
        "flicker": meter.flicker,
        "frames_sha256": noisy.frames_digest.hexdigest(),
        "noise_sha256": noisy.noise_digest.hexdigest(),
    }
    write_sealed(marker, json.dumps(figures).encode())
