"""What stages cost on this machine: CPU seconds, requests and bytes of a small run, with one and two workers.

CPU seconds are those of the processes, which other work on the machine changes little; wall times are not measured.
"""

import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import av
import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.storage import LocalStore

from self2align.measuring.scenes import measure_scenes
from self2align.noise.model import NoiseSettings
from self2align.noise.synthesis import add_noise
from self2align.pairs.making import PairSettings, make_pairs
from self2align.runtime.progress import ignore, silent
from self2align.runtime.workers import exact_threads
from self2align.stores.codes import Coding
from self2align.stores.frames import FrameStore, Part, SceneRecord, write_frames

STARTS = Path(__file__).parents[1] / "starts"
NOISE = NoiseSettings("gaussian", 25.0, None, 30.0)
PAIRS = PairSettings((1,), 16, 8, 128, 16, True, "sinc")
SCENES, FRAMES, HEIGHT, WIDTH = 2, 40, 384, 640
VIDEO = (48, 160, 256)


def smooth(frame: int, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """Return a frame of a texture that moves by half a pixel a frame, ``(3, H, W)``."""
    y, x = np.mgrid[:height, :width] + 0.5 * frame
    waves = np.sin(x / 5) * np.cos(y / 7) + np.sin((x + y) / 11)
    return (128 + 40 * np.stack([waves, waves * 0.8, waves * 0.6])).astype(np.uint8)


def fetch(part: Part, start: int, stop: int) -> NDArray[Any]:
    """Return frames of a scene."""
    return np.stack([smooth(frame) for frame in range(start, stop)])


def spent(work: Callable[[], object]) -> tuple[float, float]:
    """Return the CPU seconds, user and system, of this process and of its children."""
    before = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    work()
    after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    mine, theirs = (b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime for a, b in zip(before, after, strict=True))
    return mine, theirs


def count_requests(found: Counter[str]) -> None:
    """Count from now on what Zarr asks of its stores in this process."""
    get, put = LocalStore.get, LocalStore.set

    async def counted_get(self: LocalStore, *arguments: Any, **named: Any) -> Any:
        result = await get(self, *arguments, **named)
        found["reads"] += 1
        found["bytes read"] += 0 if result is None else len(result)
        return result

    async def counted_put(self: LocalStore, key: str, value: Any) -> None:
        found["writes"] += 1
        found["bytes written"] += len(value)
        await put(self, key, value)

    LocalStore.get, LocalStore.set = counted_get, counted_put  # type: ignore[method-assign]


def _stages(folder: Path) -> None:
    records = [SceneRecord("clip", f"{n}", ("align", "pairs"), "", 0, FRAMES, HEIGHT, WIDTH) for n in range(SCENES)]
    parts = [Part(record, Coding("uint8", 1 / 255), 3, "") for record in records]
    clean, noisy, scratch = folder / "clean.zarr", folder / "noisy.zarr", folder / "scratch"
    scratch.mkdir()
    found: Counter[str] = Counter()
    count_requests(found)

    def pairs() -> None:
        aligner = STARTS / "davis_motion.safetensors"
        name = f"pairs{os.environ['SELF2ALIGN_WORKERS']}.zarr"
        make_pairs(noisy=noisy, aligner=aligner, out=folder / name, settings=PAIRS, parameters={}, seed=0, bars=silent)

    def tell(name: str, work: Callable[[], object]) -> None:
        found.clear()
        mine, theirs = spent(work)
        print(f"{name}: CPU s {mine:.2f} here, {theirs:.2f} in workers; in this process {dict(found)}", flush=True)

    os.environ["SELF2ALIGN_WORKERS"] = "1"
    tell("ingest (store alone)", lambda: write_frames(clean, parts, fetch, {"noise": {}}, scratch, ignore))
    tell("synthesize", lambda: add_noise([FrameStore(clean)], noise=NOISE, seed=0, out=noisy, bars=silent))
    tell("measure_noise", lambda: measure_scenes(noisy, 5, ignore))
    tell("generate_pairs, 1 worker", pairs)
    os.environ["SELF2ALIGN_WORKERS"] = "2"
    tell("generate_pairs, 2 workers", pairs)
    stored = {one.name: sum(f.stat().st_size for f in one.rglob("*") if f.is_file()) for one in folder.glob("*.zarr")}
    rows = zarr.open_group(folder / "pairs1.zarr", mode="r")["pairs/ssim"].shape[0]  # type: ignore[union-attr]
    print(f"bytes stored: {stored}; {SCENES * FRAMES} frames, {rows} rows")
    same = subprocess.run(["diff", "-r", folder / "pairs1.zarr", folder / "pairs2.zarr"], check=False).returncode == 0
    print(f"pairs of one and of two workers are {'the same bytes' if same else 'DIFFERENT'}")


def _video(path: Path, frames: range) -> None:
    _, height, width = VIDEO
    draw = np.random.default_rng(frames.start)
    with av.open(path, "w") as container:
        stream = container.add_stream("ffv1", 24, width=width, height=height, pix_fmt="bgr0")
        for number in frames:
            values = smooth(number, height, width) + 20 * draw.standard_normal((3, height, width))
            pixels = np.ascontiguousarray(values.clip(0, 255).astype(np.uint8).transpose(1, 2, 0))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(stream.encode(None))


def _denoise(folder: Path) -> None:
    half = VIDEO[0] // 2
    files = {"whole": range(VIDEO[0]), "first": range(half), "second": range(half, VIDEO[0])}
    for name, frames in files.items():
        _video(folder / f"{name}.mkv", frames)

    def run(*names: str) -> None:
        weights = STARTS / "davis_levels.safetensors"
        code = "from self2align.stages.cli import main; main()"
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        running = []
        for name in names:
            files = [folder / f"{name}.mkv", folder / f"{name}-clean.mkv"]
            command = [sys.executable, "-c", code, "denoise", *files, "--weights", weights]
            running.append(subprocess.Popen(command, env=environment, cwd=folder, stdout=subprocess.DEVNULL))
        assert [one.wait() for one in running] == [0] * len(names)

    print(f"denoise, {VIDEO[0]} frames in 1 process: CPU s {spent(lambda: run('whole'))[1]:.2f}", flush=True)
    print(f"denoise, half in each of 2 processes: CPU s {spent(lambda: run('first', 'second'))[1]:.2f}", flush=True)


def measure() -> None:
    """Run the stages on a small store of frames, and `denoise` on a short video; print what they took."""
    with TemporaryDirectory() as name:
        os.environ["SELF2ALIGN_SCRATCH"] = str(Path(name) / "work")
        with exact_threads(1):
            _stages(Path(name))
        _denoise(Path(name))


if __name__ == "__main__":
    measure()
