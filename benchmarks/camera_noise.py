r"""Denoising footage as cameras make it, file to file, beside filters at the setting that is best on the clean frames.

::

    python benchmarks/camera_noise.py make work data/DAVIS/JPEGImages/480p
    python benchmarks/camera_noise.py competitors work --ffmpeg FFMPEG
    python benchmarks/camera_noise.py ours work start --weights starts/davis_camera.safetensors
    python benchmarks/camera_noise.py ours work temporal --weights starts/davis_camera.safetensors \
        --aligner starts/davis_motion.safetensors --temporal 2
    python benchmarks/camera_noise.py train work
    python benchmarks/camera_noise.py ours work trained
    python benchmarks/camera_noise.py table work start

Every step continues where it stopped: clips, rows and files that are there are kept. Several processes may share the
filters (``--methods 'FFmpeg*'``) and clips (``--clips 'dog_*'``) between them. Clips are SCENE_EXPOSURE_KIND: two
scenes, three exposures, and pictures (raw), H.264 at CRF 18 or at CRF 28.

Filters take long, so `FRAMES` of 40 are scored, and settings are compared on `WINDOW` of `TUNED_ON`. BM3D is run on the
window alone; all methods are scored there, and the others on whole frames too. `ours` denoises what the scored frames
depend on, cut out of the clip without loss; with ``--whole`` the clip.

The filters need ``pip install bm3d imageio-ffmpeg``; the second has an FFmpeg with hqdn3d, which is under the GPL. BM3D
is told the covariance of the noise, measured on a second draw of the same clip.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from fnmatch import fnmatch
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
from camera_clips import MEASURES, Levels, Score, Values, Window, cut_clip, read_clip
from camera_tables import Rows, table_of
from competitors import COMPETITORS, Clip, best_of
from typer import Argument, Option, Typer

from self2align.images.files import read_image
from self2align.images.levels import to_levels
from self2align.runtime.disk import move, written
from self2align.runtime.locks import locked

SCENES = ("blackswan", "car-roundabout")
EXPOSURES = {"bright": 1000.0, "mid": 300.0, "dark": 100.0}  # electrons at white
KINDS = ("raw", "crf18.mp4", "crf28.mp4")
HEIGHT, WIDTH = 384, 640
FRAMES = (4, 20, 36)  # scored
WINDOW = Window(HEIGHT // 4, WIDTH // 4, HEIGHT // 2, WIDTH // 2)  # the middle
TUNED_ON = 20
NOISY, IDEAL = "noisy", "without noise"
SELF2ALIGN = (sys.executable, "-c", "from self2align.stages.cli import main; main()")
application = Typer(help=__doc__)
Work = Annotated[Path, Argument(help="Working folder.")]
Clips = Annotated[str, Option(help="Pattern of names of clips.")]
Frames = Annotated[list[int] | None, Option("--frame", help="Number of a frame that is scored; once for each.")]


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


def ideal_of(work: Path, name: str) -> Path:
    """Return the recording of a clip's scene by the same camera and codec without noise."""
    scene, _, kind = name.split("_")
    return work / "ideal" / f"{scene}_{kind}"


def clean_of(work: Path, name: str) -> Levels:
    """Return the clean frames of a clip, ``(T, 3, H, W)``."""
    return to_levels(read_clip(work / "clean" / name.split("_")[0]))


def scores_of(made: Values, clean: Levels, frames: Sequence[int]) -> dict[tuple[str, int], Score]:
    """Return the scores of frames, ``(K, 3, H, W)``, on the window; those of whole frames too, if they are whole."""
    scores = {}
    for one, frame in zip(made, frames, strict=True):
        if one.shape == clean[frame].shape:
            scores["frame", frame] = Score.of(one, clean[frame])
            one = WINDOW.of(one)
        scores["window", frame] = Score.of(one, WINDOW.of(clean[frame]))
    return scores


@application.command()
def make(
    work: Work,
    davis: Annotated[Path, Argument(help="Folder of sequences.")],
    scenes: Annotated[str, Option(help="Names of sequences, with commas.")] = ",".join(SCENES),
    count: Annotated[int, Option(help="Frames of each.")] = 40,
    others: Annotated[int, Option(help="Frames of the second draw of each clip.")] = 8,
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
                with written(clean / f"{number:03d}.png") as file:
                    file.write(cv2.imencode(".png", window[..., ::-1])[1].tobytes())
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
    frames: Frames = None,
) -> None:
    """Measure the filters; settings are chosen for each clip by PSNR on a clean frame, which favours them."""
    scored = sorted(frames or FRAMES)
    for name in names_of(work, clips):
        for method in [one for one in COMPETITORS if fnmatch(one, methods)]:
            rows = Rows(work / "competitors.csv")  # read anew: others may run at the same time
            if (name, method) not in rows:
                clip = clip_of(work, name, ffmpeg)
                settings, made, seconds = best_of(clip, COMPETITORS[method], WINDOW, TUNED_ON, scored)
                rows.add(name, method, scores_of(made, clip.clean, scored), seconds, settings)


@lru_cache(maxsize=1)
def clip_of(work: Path, name: str, ffmpeg: str) -> Clip:
    """Return a clip as filters see it, and its noise: the difference of two draws over sqrt(2)."""
    path = work / "clips" / name
    noisy, other = read_clip(path), read_clip(work / "other" / name)
    noise = (noisy[: len(other)] - other) / np.float32(2**0.5)
    return Clip(path, noisy, clean_of(work, name), noise, ffmpeg)


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
    label: Annotated[str, Argument(help="Name of the method in the table.")],
    weights: Annotated[str | None, Option(help="Denoiser; default: that of `train`, one for each clip.")] = None,
    temporal: Annotated[int, Option(help="As of denoise.")] = 0,
    aligner: Annotated[str | None, Option(help="As of denoise.")] = None,
    clips: Clips = "*",
    frames: Frames = None,
    whole: Annotated[bool, Option("--whole", help="Denoise the clip, not what the scored frames depend on.")] = False,
) -> None:
    """Denoise each clip from file to file without loss."""
    rows, scored = Rows(work / "ours.csv"), sorted(frames or FRAMES)
    for name in names_of(work, clips):
        if (name, label) in rows:
            continue
        path, clean = work / "clips" / name, clean_of(work, name)
        near = {frame + step for frame in scored for step in range(-temporal, temporal + 1)}
        seen = sorted(range(len(clean)) if whole else near & set(range(len(clean))))
        source = path if whole else cut_of(work, name, seen)
        suffix = ".mkv" if path.is_file() else ""
        out = work / label / Path(name).with_suffix(suffix)
        out.parent.mkdir(parents=True, exist_ok=True)
        denoiser = Path(weights) if weights else work / "projects" / name / "camera.safetensors"
        told = ["--weights", denoiser, *(["--temporal", temporal] if temporal else [])]
        told += ["--aligner", aligner] if aligner else []
        seconds = command("denoise", source, out, *told, *(["--codec", "ffv1"] if suffix else []), "--overwrite")
        made = read_clip(out, [seen.index(frame) for frame in scored])
        settings = {"weights": denoiser.name, "temporal": temporal}
        rows.add(name, label, scores_of(made, clean, scored), seconds / len(seen), settings)


def cut_of(work: Path, name: str, frames: Sequence[int]) -> Path:
    """Return a clip of some frames of another, made unless it is there; it gets its name when it is whole."""
    path = work / "clips" / name
    folder = work / "cuts" / "-".join(map(str, frames))
    out = folder / Path(name).with_suffix(".mkv" if path.is_file() else "")
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / f".{name}.lock"):  # other processes may want the same cut
        if not out.exists():
            partial = folder / f".{name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            cut_clip(path, partial / out.name, frames)
            move(partial / out.name, out)
            partial.rmdir()
    return out


@application.command()
def table(
    work: Work,
    label: Annotated[str, Argument(help="Method of `ours` that is compared with the best filter.")],
    methods: Annotated[str, Option(help="Names of methods of `ours` to show, with commas.")] = "",
    frames: Frames = None,
) -> None:
    """Print a table for each measure, of means over frames; write them to WORK/table.md."""
    scored = sorted(frames or FRAMES)
    given, filters, own = (Rows(work / f"{name}.csv") for name in ("given", "competitors", "ours"))
    clips = names_of(work, "*")
    for name in clips:
        for method, path in ((NOISY, work / "clips" / name), (IDEAL, ideal_of(work, name))):
            if (name, method) not in given:
                given.add(name, method, scores_of(read_clip(path, FRAMES), clean_of(work, name), FRAMES))
    sources = {NOISY: given, **dict.fromkeys(filters.methods, filters)}
    sources |= {**dict.fromkeys(methods.split(",") if methods else own.methods, own), IDEAL: given}
    lines = []
    for part in ("window", "frame"):
        for measure in MEASURES:
            rows = table_of(sources, clips, part, measure, scored, filters.methods, label)
            lines += ["", f"{measure}, {part}:", "", *rows]
    text = "\n".join(lines[1:]) + "\n"
    (work / "table.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    application()
