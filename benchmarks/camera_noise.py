r"""Denoising footage as cameras make it, file to file, beside filters at the setting that is best on the clean frames.

::

    python benchmarks/camera_noise.py make work data/DAVIS/JPEGImages/480p
    python benchmarks/camera_noise.py competitors work --ffmpeg FFMPEG
    python benchmarks/camera_noise.py train work
    python benchmarks/camera_noise.py ours work single
    python benchmarks/camera_noise.py ours work temporal --temporal 2
    python benchmarks/camera_noise.py ours work shipped --weights starts/davis_levels.safetensors
    python benchmarks/camera_noise.py table work

Every step continues where it stopped: clips, rows and files that are there are kept. Clips are SCENE_EXPOSURE_KIND: two
scenes, three exposures, and pictures (raw), H.264 at CRF 18 or at CRF 28. ``--clips 'dog_*'`` takes some of them.

The filters need ``pip install bm3d imageio-ffmpeg``; the second has an FFmpeg with hqdn3d, which is under the GPL. BM3D
is told the covariance of the noise, measured on a second draw of the same clip.
"""

import csv
import json
import os
import subprocess
import sys
import time
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
from camera_clips import Levels, Score, read_clip
from typer import Argument, Option, Typer

from self2align.images.files import read_image
from self2align.images.levels import to_levels

SCENES = ("blackswan", "car-roundabout")
EXPOSURES = {"bright": 1000.0, "mid": 300.0, "dark": 100.0}  # electrons at white
KINDS = ("raw", "crf18.mp4", "crf28.mp4")
FRAMES = (4, 12, 20, 28, 36)  # scored
HEIGHT, WIDTH = 384, 640
SELF2ALIGN = (sys.executable, "-c", "from self2align.stages.cli import main; main()")
HEADER = ["clip", "method", "settings", "seconds", "frames", "psnr", "ssim", "blotches"]
application = Typer(help=__doc__)
Work = Annotated[Path, Argument(help="Working folder.")]
Clips = Annotated[str, Option(help="Pattern of names of clips.")]


def command(*words: Path | str | float) -> float:
    """Run `self2align` as a user would; return the seconds."""
    began = time.perf_counter()
    subprocess.run([*SELF2ALIGN, *map(str, words)], check=True)
    return time.perf_counter() - began


def names_of(work: Path, pattern: str) -> list[str]:
    """Return the clips that there are, in the order of the table."""
    scenes = sorted(path.name for path in (work / "clean").iterdir())
    names = [f"{scene}_{exposure}_{kind}" for scene in scenes for exposure in EXPOSURES for kind in KINDS]
    return [name for name in names if fnmatch(name, pattern) and (work / "clips" / name).exists()]


def clean_of(work: Path, name: str) -> Levels:
    """Return the clean frames of a clip, ``(T, 3, H, W)``."""
    return to_levels(read_clip(work / "clean" / name.split("_")[0]))


class Rows:
    """Rows of measurements in a file: one for each clip and method, kept over runs."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.known: dict[tuple[str, str], dict[str, str]] = {}
        if path.exists():
            with path.open(newline="", encoding="utf-8") as file:
                self.known = {(row["clip"], row["method"]): row for row in csv.DictReader(file)}

    def add(self, clip: str, method: str, settings: object, seconds: float, scores: dict[int, Score]) -> None:
        """Write a row; figures of each frame are separated by spaces."""
        each = zip(*(score.cells() for score in scores.values()), strict=True)
        cells = [clip, method, json.dumps(settings), f"{seconds:.2f}", " ".join(map(str, scores)), *map(" ".join, each)]
        new = not self.path.exists()
        with self.path.open("a", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([HEADER, cells] if new else [cells])
        row = dict(zip(HEADER, cells, strict=True))
        self.known[clip, method] = row
        shown = " / ".join(f"{np.mean(figures(row, name)):.3f}" for name in HEADER[5:])
        print(f"{clip}: {method}: {shown} {row['settings']}", flush=True)


def figures(row: dict[str, str], name: str, frames: list[int] | None = None) -> list[float]:
    """Return the figures of the frames of a row; of some of them only, if it has them."""
    each = dict(zip(map(int, row["frames"].split()), map(float, row[name].split()), strict=True))
    return list(each.values()) if frames is None else [each[frame] for frame in frames]


def scores_of(made: np.ndarray, clean: Levels, frames: list[int]) -> dict[int, Score]:
    """Return the score of each frame."""
    return {frame: Score.of(one[None], clean[frame : frame + 1]) for frame, one in zip(frames, made, strict=True)}


@application.command()
def make(
    work: Work,
    davis: Annotated[Path, Argument(help="Folder of sequences.")],
    scenes: Annotated[str, Option(help="Names of sequences, with commas.")] = ",".join(SCENES),
    count: Annotated[int, Option(help="Frames of each.")] = 40,
    others: Annotated[int, Option(help="Frames of the second draw of each clip.")] = 16,
) -> None:
    """Film the middle of clean frames, and a second draw of each clip, whose difference is its noise."""
    for scene in scenes.split(","):
        clean = work / "clean" / scene
        clean.mkdir(parents=True, exist_ok=True)
        for number, path in enumerate(sorted((davis / scene).iterdir())[:count]):
            frame = read_image(path)[0]
            top, left = (frame.shape[1] - HEIGHT) // 2, (frame.shape[2] - WIDTH) // 2
            if not (clean / f"{number:03d}.png").exists():
                window = frame[:, top : top + HEIGHT, left : left + WIDTH].transpose(1, 2, 0)
                cv2.imwrite(str(clean / f"{number:03d}.png"), window[..., ::-1])
        for kind in KINDS:
            film(clean, work / "ideal" / f"{scene}_{kind}", kind, peak=1e8, read=0, seed=7, frames=count)
            for exposure, peak in EXPOSURES.items():
                for folder, seed, frames in (("clips", 7, count), ("other", 8, others)):
                    out = work / folder / f"{scene}_{exposure}_{kind}"
                    film(clean, out, kind, peak=peak, seed=seed, frames=frames)


def film(clean: Path, out: Path, kind: str, **options: float) -> None:
    """Film clean frames, unless that is done."""
    if not out.exists():
        out.parent.mkdir(exist_ok=True)
        quality = {} if kind == "raw" else {"quality": kind[3:5]}
        told = [word for key, value in (options | quality).items() for word in (f"--{key}", value)]
        command("simulate", clean, out, *told)


@application.command()
def competitors(
    work: Work,
    ffmpeg: Annotated[str, Option(help="The program FFmpeg, with hqdn3d.")] = "ffmpeg",
    clips: Clips = "*",
    methods: Annotated[str, Option(help="Pattern of names of filters.")] = "*",
    frames: Annotated[list[int] | None, Option(help="Number of a frame that is scored.")] = None,
) -> None:
    """Measure the filters; settings are chosen for each clip by PSNR on its clean frames, which favours them."""
    from competitors import COMPETITORS, Clip, best_of

    rows, scored = Rows(work / "competitors.csv"), list(frames or FRAMES)
    for name in names_of(work, clips):
        path, clean = work / "clips" / name, clean_of(work, name)
        wanted = [method for method in COMPETITORS if fnmatch(method, methods) and (name, method) not in rows.known]
        if not wanted:
            continue
        other = read_clip(work / "other" / name)
        noise = (read_clip(path, list(range(len(other)))) - other) / np.float32(2**0.5)
        clip = Clip(path, clean[scored], scored, noise, ffmpeg)
        for method in wanted:
            settings, made, seconds = best_of(clip, COMPETITORS[method], float(255 * noise.std()))
            rows.add(name, method, settings, seconds, scores_of(made, clean, scored))


@application.command()
def train(
    work: Work,
    clips: Clips = "*",
    steps: Annotated[int, Option(help="Training steps of the denoiser.")] = 1000,
) -> None:
    """Train on each clip alone by the documented commands: init, dvc repro, bundle."""
    from ruamel.yaml import YAML

    for name in names_of(work, clips):
        project = work / "projects" / name
        if (project / "camera.safetensors").exists():
            continue
        began = time.perf_counter()
        if not (project / "params.yaml").exists():
            command("init", project, "--source", (work / "clips" / name).resolve())
        yaml = YAML()
        params = yaml.load(project / "params.yaml")
        if params["train_denoiser"]["training"]["steps"] != steps:
            params["train_denoiser"]["training"]["steps"] = steps
            yaml.dump(params, project / "params.yaml")
        subprocess.run([Path(sys.executable).with_name("dvc"), "repro"], cwd=project, check=True)
        subprocess.run([*SELF2ALIGN, "bundle", "camera.safetensors"], cwd=project, check=True)
        print(f"{name}: trained in {(time.perf_counter() - began) / 60:.1f} minutes", flush=True)


@application.command()
def ours(
    work: Work,
    label: Annotated[str, Argument(help="Name of the row.")],
    weights: Annotated[str | None, Option(help="Denoiser; default: that of `train`, one for each clip.")] = None,
    temporal: Annotated[int, Option(help="As of denoise.")] = 0,
    clips: Clips = "*",
) -> None:
    """Denoise each clip from file to file without loss, and measure all frames."""
    rows = Rows(work / "ours.csv")
    for name in names_of(work, clips):
        if (name, label) in rows.known:
            continue
        path, clean = work / "clips" / name, clean_of(work, name)
        out = work / label / Path(name).with_suffix(".mkv" if path.is_file() else "")
        denoiser = Path(weights) if weights else work / "projects" / name / "camera.safetensors"
        told = ["--weights", denoiser, *(["--temporal", str(temporal)] if temporal else [])]
        codec = ["--codec", "ffv1"] if path.is_file() else []
        out.parent.mkdir(parents=True, exist_ok=True)
        seconds = command("denoise", path, out, *told, *codec, "--overwrite") / len(clean)
        scores = scores_of(read_clip(out), clean, list(range(len(clean))))
        rows.add(name, label, {"weights": denoiser.name, "temporal": temporal}, seconds, scores)


@application.command()
def table(
    work: Work,
    label: Annotated[str, Option(help="Row of `ours` that margins are of: of single frames.")] = "single",
) -> None:
    """Print a table, and write it to WORK/table.md: means over each row's own frames, margins over frames in common."""
    measured = Rows(work / "competitors.csv").known
    own = Rows(work / "ours.csv").known
    lines = [
        "| clip | method | dB | SSIM | deviation of 8 px means of R - G | s/frame | settings |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for name in names_of(work, "*"):
        clean, noisy = clean_of(work, name), read_clip(work / "clips" / name, list(FRAMES))
        plain = Score.of(noisy, clean[list(FRAMES)])
        lines.append(f"| {name} | noisy | {plain.psnr:.2f} | {plain.ssim:.3f} | {plain.blotches:.2f} | | |")
        scene, _, kind = name.split("_")
        ideal = Score.of(read_clip(work / "ideal" / f"{scene}_{kind}", list(FRAMES)), clean[list(FRAMES)])
        shown = f"{ideal.psnr:.2f} | {ideal.ssim:.3f} | {ideal.blotches:.2f}"
        lines.append(f"| | *the same camera and codec without noise* | {shown} | | |")
        for (clip, method), row in (measured | own).items():
            if clip == name:
                db, likeness, spots = (np.mean(figures(row, each)) for each in HEADER[5:])
                told = row["settings"] if (clip, method) in measured else ""
                lines.append(f"| | {method} | {db:.2f} | {likeness:.3f} | {spots:.2f} | {row['seconds']} | {told} |")
        if (name, label) in own:
            lines += verdict(name, label, measured, own, plain)
    text = "\n".join(lines) + "\n"
    (work / "table.md").write_text(text, encoding="utf-8")
    print(text)


def verdict(
    name: str,
    label: str,
    measured: dict[tuple[str, str], dict[str, str]],
    own: dict[tuple[str, str], dict[str, str]],
    noisy: Score,
) -> list[str]:
    """Return what is asked of a clip: the margin above the best filter, above every own row, and the blotches left."""
    row, lines = own[name, label], []
    margins = {}
    for (clip, method), other in (measured | own).items():
        if clip == name and method != label:
            frames = list(map(int, other["frames"].split()))
            margins[method] = np.mean(figures(row, "psnr", frames)) - np.mean(figures(other, "psnr"))
    beaten = {method: margin for method, margin in margins.items() if (name, method) in measured}
    if beaten:
        best = min(beaten, key=lambda method: beaten[method])
        lines.append(f"| | *{label} minus {best}* | {beaten[best]:+.2f} | | | | |")
    for method in margins.keys() - beaten.keys():
        lines.append(f"| | *{label} minus {method}* | {margins[method]:+.2f} | | | | |")
    share = np.mean(figures(row, "blotches", list(FRAMES))) / noisy.blotches
    return [*lines, f"| | *blotches left by {label}* | | | {share:.2f} of noisy | | |"]


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    application()
