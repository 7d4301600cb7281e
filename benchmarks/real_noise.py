r"""Real moving series without clean frames: file to file by the documented commands, and measures that need no truth.

::

    python benchmarks/real_noise.py all shared/data/real work --steps 600 --aligner-steps 150

does ``init``, ``train``, ``denoise``, ``measure`` and ``show`` for every series; each is a command of its own too, with
``--names 'nuclei*'`` for some of them. Every step continues where it stopped.

The last quarter of each series is held out of training where there are 20 frames or more; measures are of these frames,
`self2align.evaluation.without_truth` says what each means. Neighbours are aligned by DIS on denoised frames. The table
has, in this order: what was taken off correlated with structure; the deviation in flat blocks, in standard deviations
of the noise, before, after, and of the structure that chose them; by how much the mean squared error fell, of what it
was before; the largest change of the mean of a class of brightness, in standard deviations of the noise.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import tifffile
from numpy.typing import NDArray
from real_figures import Frames, figures_of, held_out
from ruamel.yaml import YAML
from typer import Argument, Option, Typer

from self2align.images.files import read_image

SELF2ALIGN = (sys.executable, "-c", "from self2align.stages.cli import main; main()")
ROWS = {"shipped": 0, "single": 0, "temporal": 2}  # name of a row: --temporal
STARTS = Path(__file__).parent.parent / "starts"
PART_FRAMES, PART_SIDE = 20, 144  # of large recordings; px
SHOWN = 128  # px a side, of the pictures
application = Typer(help=__doc__)
Real = Annotated[Path, Argument(help="Folder of the recordings.")]
Work = Annotated[Path, Argument(help="Working folder.")]
Names = Annotated[str, Option(help="Pattern of names of series.")]
Rows = Annotated[str, Option(help="Rows, with commas: shipped, single, temporal.")]


@dataclass(frozen=True)
class Series:
    """A recording.

    Attributes
    ----------
    files
        Pattern of its files in the folder of the recordings; a folder of pictures is a series itself.
    axes
        What `--axes` is told; None for nothing.
    start
        The shipped weights of the row `shipped`.
    part
        Whether only a part is taken, so that large recordings take no longer than small ones: the first `PART_FRAMES`
        frames, `PART_SIDE` px a side in the middle, and of several depths the middle one.
    """

    files: str
    axes: str | None = None
    start: str = "davis_levels"
    part: bool = False

    def source(self, real: Path, work: Path, name: str) -> Path:
        """Return the file or folder that `init` is given; made if the recording has to be split."""
        found = sorted(real.glob(self.files))
        if not found:
            raise ValueError(f"{real / self.files}: found nothing, expected the recording {name}")
        if not self.part:
            return found[0].resolve() if found[0].suffix == ".tif" else found[0].parent.resolve()
        path = (work / name / "source.tif").resolve()
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(path, part_of(found), metadata={"axes": "TYX"})
        return path


def part_of(files: list[Path]) -> NDArray[Any]:
    """Return a part of a recording, ``(T, H, W)``; see `Series`."""
    if files[0].suffix == ".tif":
        stack = tifffile.imread(files[0])[:PART_FRAMES]
        stack = stack[:, stack.shape[1] // 2] if stack.ndim == 4 else stack
    else:
        stack = np.stack([read_image(file)[0][0] for file in files[:PART_FRAMES]])
    top, left = (max(side - PART_SIDE, 0) // 2 for side in stack.shape[1:])
    return np.ascontiguousarray(stack[:, top : top + PART_SIDE, left : left + PART_SIDE])


SERIES = {
    "nuclei-migration": Series("nuclei-migration/*.tif"),
    "golgi-live": Series("golgi-live/*.tif", start="davis_camera"),
    "fluoro-udvd": Series("fluoro-udvd/*.png"),
    "membrane-live": Series("membrane-live/*.tif"),
    "calcium-sima": Series("calcium-sima/*.tif"),
    "hsafm": Series("hsafm/*.tif", axes="TYX", start="davis_camera", part=True),
    "trackpy-brightfield": Series("trackpy-brightfield/*.png", part=True),
    "ctc-cho": Series("ctc-cho/*.tif", part=True),
}


def chosen(pattern: str) -> dict[str, Series]:
    """Return the series whose names match."""
    return {name: one for name, one in SERIES.items() if fnmatch(name, pattern)}


def run(*words: Path | str, within: Path | None = None) -> None:
    """Run a command as a user would, and print its time."""
    began = time.perf_counter()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # `python` of dvc.yaml
    subprocess.run([*map(str, words)], check=True, cwd=within, env={**os.environ, "PATH": path})
    print(f"{' '.join(map(str, words[-4:]))}: {time.perf_counter() - began:.0f} s", flush=True)


def read(path: Path) -> Frames:
    """Return the frames of a stack or of a folder of pictures, ``(T, C, H, W)``."""
    if path.is_dir():
        return np.stack([read_image(file)[0] for file in sorted(path.iterdir())]).astype(np.float32)
    return np.asarray(tifffile.imread(path), np.float32)[:, None]


@application.command()
def init(real: Real, work: Work, names: Names = "*") -> None:
    """Run `self2align init`, and hold frames out (``max_frames``)."""
    for name, series in chosen(names).items():
        project = work / name / "project"
        source = series.source(real, work, name)
        if not (project / "params.yaml").exists():
            axes = ["--axes", series.axes] if series.axes else []
            project.parent.mkdir(parents=True, exist_ok=True)
            run(*SELF2ALIGN, "init", project, "--source", source, *axes)
            count = len(read(source))
            with edited(project) as params:
                for one in params["ingest"]["sources"].values():
                    one["max_frames"] = count - held_out(count)


@contextmanager
def edited(project: Path) -> Iterator[Any]:
    """Yield the parameters of a project, to be edited as a user does; comments stay."""
    yaml, path = YAML(), project / "params.yaml"
    yaml.width = 200
    params = yaml.load(path.read_text(encoding="utf-8"))
    yield params
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(params, file)


@application.command()
def train(
    work: Work,
    names: Names = "*",
    steps: Annotated[int, Option(help="Of the denoiser.")] = 600,
    aligner_steps: Annotated[int, Option(help="Of the aligner, if it is trained.")] = 150,
) -> None:
    """Run `dvc repro` up to the denoiser, and `self2align bundle`."""
    for name in chosen(names):
        project = work / name / "project"
        with edited(project) as params:
            training = params["train_denoiser"]["training"]
            training["steps"], training["warmup"] = steps, min(training["warmup"], steps // 4)
            for aligner in params["train_ian"]["aligners"].values():
                if aligner.get("training"):
                    aligner["training"]["steps"] = aligner_steps
        run(Path(sys.executable).with_name("dvc"), "repro", "train_denoiser", within=project)
        bundle, trained = project / "camera.safetensors", project / "data/train_denoiser/denoiser.safetensors"
        if not bundle.exists() or bundle.stat().st_mtime < trained.stat().st_mtime:
            bundle.unlink(missing_ok=True)
            run(*SELF2ALIGN, "bundle", "camera.safetensors", within=project)


@application.command()
def denoise(real: Real, work: Work, names: Names = "*", rows: Rows = "shipped,single,temporal") -> None:
    """Run `self2align denoise`: shipped weights, one frame at a time, or with two neighbours each way."""
    for name, series in chosen(names).items():
        source = series.source(real, work, name)
        for row in rows.split(","):
            temporal = ROWS[row]
            weights = work / name / "project/camera.safetensors"
            if row == "shipped":
                weights = (STARTS / f"{series.start}.safetensors").resolve()
            out = row_of(work, name, source, row)
            if out.exists() and out.stat().st_mtime > weights.stat().st_mtime:
                continue
            told = ["--axes", series.axes] if series.axes and not series.part else []
            told += ["--temporal", str(temporal)] if temporal else []
            run(*SELF2ALIGN, "denoise", source, out, "--weights", weights, "--overwrite", *told)


def result_of(work: Path, name: str, source: Path, row: str) -> Frames:
    """Return what `denoise` wrote."""
    return read(row_of(work, name, source, row))


def row_of(work: Path, name: str, source: Path, row: str) -> Path:
    """Return the file or folder that `denoise` writes."""
    return work / name / (f"{row}.tif" if source.suffix == ".tif" else row)


@application.command()
def measure(real: Real, work: Work, names: Names = "*") -> None:
    """Measure results; write WORK/NAME/figures.json and a table."""
    for name, series in chosen(names).items():
        source = series.source(real, work, name)
        noisy = read(source)
        scale = float(np.quantile(noisy, 0.999) - min(noisy.min(), 0))
        done = [row for row in ROWS if row_of(work, name, source, row).exists()]
        single = result_of(work, name, source, "single" if "single" in done else "shipped")
        found = {row: figures_of(noisy, result_of(work, name, source, row), single, scale) for row in done}
        (work / name / "figures.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    table(work)


@application.command()
def table(work: Work) -> None:
    """Print the table of all series that are measured, and write it to WORK/series.md."""
    lines = [
        "| series | row | frames | structure in what was taken off | flat places: before, after, structure |"
        " error removed | largest change of a class's mean |",
        "|---|---|--:|--:|--:|--:|--:|",
    ]
    for name in SERIES:
        path = work / name / "figures.json"
        for row, one in json.loads(path.read_text(encoding="utf-8")).items() if path.exists() else ():
            flat = ", ".join(f"{value:.2f}" for value in one["flat"])
            cells = [name, row, f"{one['frames']}{'' if one['held out'] else ' (trained on)'}"]
            cells += ["{:+.3f} ± {:.3f}".format(*one["structure"]), flat]
            cells += ["{:.2f} ± {:.2f}".format(*one["gain"]), "{:+.2f} ± {:.2f}".format(*one["worst shade"][:2])]
            lines.append("| " + " | ".join(cells) + " |")
    (work / "series.md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


@application.command()
def show(
    real: Real,
    work: Work,
    out: Annotated[Path, Option(help="Picture.")] = Path("docs/real-noise.jpg"),
    pictured: Annotated[str, Option(help="Names, with commas.")] = "nuclei-migration,fluoro-udvd,membrane-live,hsafm",
) -> None:
    """Draw a crop of some series: before, after (single frames, or shipped weights), and taken off, three times."""
    rows = []
    for name in pictured.split(","):
        source = SERIES[name].source(real, work, name)
        noisy = read(source)
        row = "single" if row_of(work, name, source, "single").exists() else "shipped"
        at = len(noisy) - 3
        after = result_of(work, name, source, row)[at]
        low, high = np.quantile(noisy[at], (0.01, 0.998))
        levels = [(255 * (one.mean(0) - low) / (high - low)).clip(0, 255) for one in (noisy[at], after)]
        taken = 127.5 + 3 * 255 * (noisy[at] - after).mean(0) / (high - low)
        strip = np.concatenate([window(one, levels[1]) for one in (*levels, taken.clip(0, 255))], 1)
        cv2.putText(strip, f"{name}, {row}", (4, 2 * SHOWN - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1, cv2.LINE_AA)
        rows.append(strip)
    cv2.imwrite(str(out), np.concatenate(rows), [cv2.IMWRITE_JPEG_QUALITY, 80])


def window(image: NDArray[Any], guide: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the square with most to see in ``guide``, twice as large."""
    side = min(SHOWN, *image.shape)
    energy = cv2.boxFilter(np.abs(cv2.Laplacian(guide.astype(np.float32), cv2.CV_32F)), -1, (side, side))
    half = side // 2
    inner = energy[half : image.shape[0] - side + half + 1, half : image.shape[1] - side + half + 1]
    top, left = np.unravel_index(int(inner.argmax()), inner.shape)
    cut = image[top : top + side, left : left + side].astype(np.uint8)
    return np.asarray(cv2.resize(cut, (2 * SHOWN, 2 * SHOWN), interpolation=cv2.INTER_NEAREST), np.uint8)


@application.command(name="all")
def every(
    real: Real,
    work: Work,
    names: Names = "*",
    steps: Annotated[int, Option(help="Of the denoiser.")] = 600,
    aligner_steps: Annotated[int, Option(help="Of the aligner, if it is trained.")] = 150,
    out: Annotated[Path, Option(help="Picture.")] = Path("docs/real-noise.jpg"),
) -> None:
    """Run all steps, one series after the other, and draw the picture."""
    for name in chosen(names):
        began = time.perf_counter()
        init(real, work, name)
        train(work, name, steps, aligner_steps)
        denoise(real, work, name)
        measure(real, work, name)
        print(f"{name}: {(time.perf_counter() - began) / 60:.1f} minutes", flush=True)
    show(real, work, out)


if __name__ == "__main__":
    application()
