r"""Denoisers from DAVIS alone: ours and baselines on the same crops, network and steps, dB against steps and minutes.

::

    python benchmarks/davis_denoising.py prepare data/DAVIS/JPEGImages/480p work --images data
    python benchmarks/davis_denoising.py train work ours aligned_neighbours --steps 8000
    python benchmarks/davis_denoising.py train work n2n n2n --steps 8000
    python benchmarks/davis_denoising.py test work ours n2n

For one file of weights for all levels::

    python benchmarks/davis_denoising.py prepare data/DAVIS/JPEGImages/480p work --sigma 2 --sigma-max 55 --parts 4 \
        --targets 14 --crops 7
    python benchmarks/davis_denoising.py train work levels recorrupted_neighbours --steps 15000 --rotate-colors 0.3

Every fourth sequence is held out; the curves are measured on its clean frames. ``--images`` has Kodak, BSD300/test and
Set14.
"""

import csv
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from ruamel.yaml import YAML
from torch import nn
from typer import Argument, Option, Typer

from self2align.denoising.inference import denoise
from self2align.evaluation.metrics import psnr
from self2align.images.levels import to_levels
from self2align.objectives import OBJECTIVES
from self2align.params.loading import load
from self2align.runtime.devices import device
from self2align.runtime.families import load as load_member
from self2align.runtime.progress import silent
from self2align.stores.frames import FrameStore
from self2align.training.baselines import train_on_frames
from self2align.training.denoiser import OnValidation, train_on_pairs

PROFILE = Path(__file__).parent.parent / "profiles" / "quality.yaml"
NOISY, FRAMES, PAIRS = Path("synthesize/noisy.zarr"), Path("ingest"), Path("generate_pairs/pairs.zarr")
SETS = {"kodak": ("Kodak", 10), "bsd300": ("BSD300/test", 3), "set14": ("Set14", 20)}
HELD_OUT = 4  # every fourth sequence
SHOWN = 3  # frames of each held-out sequence in the curve
application = Typer(help=__doc__)
Work = Annotated[Path, Argument(help="Working folder.")]


@contextmanager
def within(folder: Path) -> Iterator[None]:
    """Change to a folder: stages keep unfinished work in the current one."""
    before = Path.cwd()
    folder.mkdir(parents=True, exist_ok=True)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def command(name: str, /, *arguments: Path | str, **options: Path | str) -> None:
    """Run a command of `self2align` as a user would."""
    words = [*map(str, arguments)]
    words += [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", str(value))]
    subprocess.run([Path(sys.executable).with_name("self2align"), name, *words], check=True)


def set_params(path: Path, base: Path, **changes: Any) -> None:
    """Write a parameter file: another one with sections, or single keys of them, replaced."""
    yaml = YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False  # the noise stream runs over the sets in their order
    content = yaml.load(base.read_text(encoding="utf-8"))
    for key, value in changes.items():
        *sections, last = key.split("__")
        place = content
        for section in sections:
            place = place[section]
        place[last] = value
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(content, file)


@application.command()
def prepare(
    davis: Annotated[Path, Argument(help="Folder of sequences.")],
    work: Work,
    images: Annotated[Path | None, Option(help="Folder of test sets.")] = None,
    sigma: Annotated[float, Option(help="Noise level, on the scale of 0 to 255.")] = 25.0,
    sigma_max: Annotated[float | None, Option(help="Highest level, if each scene has its own.")] = None,
    parts: Annotated[int, Option(help="Scenes to cut each sequence into, so that there are more levels.")] = 1,
    targets: Annotated[int, Option(help="Target frames of each sequence, in each direction.")] = 32,
    crops: Annotated[int, Option(help="Crops of each target.")] = 8,
    size: Annotated[int, Option(help="px, of these crops.")] = 128,
    own: Annotated[list[str] | None, Option(help="Sequence to train on and to measure, as own footage is.")] = None,
    trained: Annotated[Path | None, Option(help="Aligner that is trained already.")] = None,
) -> None:
    """Run the stages up to the pairs."""
    names = sorted(entry.name for entry in davis.iterdir() if entry.is_dir())
    held = own or names[::HELD_OUT]
    source = {"kind": "folder", "path": str(davis.resolve())}
    shown = [name for name in names if name not in held]
    used = {**source, "glob": shown, "roles": ["align", "pairs"]}
    if parts > 1:
        used |= {"path": str(cut_sequences(davis.resolve(), work.resolve() / "parts", shown, parts)), "glob": ["*"]}
    kept = {**source, "glob": held, "roles": ["validation", "test"], "max_frames": 24}
    sources = (
        {"own": {**source, "glob": own, "roles": ["align", "pairs", "test"]}}
        if own
        else {"davis": used, "held_out": kept}
    )
    trained = trained.resolve() if trained else None
    root = images.resolve() if images else None
    sets = {
        name: {"kind": "images", "path": str(root / folder), "glob": ["*"], "repeats": repeats}
        for name, (folder, repeats) in SETS.items()
        if root
    }
    aligner = load(PROFILE).train_ian.aligners["refined_dis"].model_dump()
    with within(work):
        set_params(
            Path("params.yaml"),
            PROFILE,
            ingest__sources=sources,
            benchmark_sets=sets,
            synthesize__sigma=sigma,
            synthesize__sigma_max=sigma_max,
            train_ian__aligners={"refined_dis": aligner},
            generate_pairs__targets_per_scene=targets,
            generate_pairs__crops_per_target=crops,
            generate_pairs__crop=size,
            benchmark__sigma=25.0,
            benchmark__methods={"noisy": {"file": "pipeline/methods/noisy.py"}} if sets else {},
            train_baselines__runs={},
        )
        for name in sources:
            command("ingest", source=name, out=FRAMES / f"{name}.zarr")
        command("synthesize", frames=FRAMES, out=NOISY)
        aligner_file = trained or Path("train_ian/refined_dis.safetensors")
        if trained is None:
            command("train_ian", aligner="refined_dis", noisy=NOISY, out=aligner_file)
        command("generate_pairs", noisy=NOISY, aligner=aligner_file, out=PAIRS)
        for name in sets:
            command("benchmark_sets", name=name, out=Path(f"benchmark_sets/{name}.zarr"))


def cut_sequences(source: Path, out: Path, names: list[str], parts: int) -> Path:
    """Link the frames of sequences as so many scenes each, ``NAME-0`` and so on; return the folder."""
    for name in names:
        frames = sorted((source / name).iterdir())
        for number in range(parts):
            scene = out / f"{name}-{number}"
            scene.mkdir(parents=True, exist_ok=True)
            for frame in frames[number * len(frames) // parts : (number + 1) * len(frames) // parts]:
                link = scene / frame.name
                if not link.exists():
                    link.symlink_to(frame)
    return out


def held_out_frames() -> list[tuple[Any, Any]]:
    """Return (clean, as levels; noisy) frames of the held-out sequences."""
    noisy, found = FrameStore(NOISY), []
    for scene in noisy.with_role("test"):
        clean = FrameStore(FRAMES / f"{scene.source}.zarr")
        for frame in np.linspace(0, scene.count - 1, SHOWN).astype(int).tolist():
            still = clean.frames(clean.scene(scene.title), frame, frame + 1)[0]
            found.append((to_levels(still), noisy.frames(scene, frame, frame + 1)[0]))
    return found


def curve_of(out: Path, frames: list[tuple[Any, Any]]) -> OnValidation:
    """Return a callback that adds a row to ``out`` for the network that it is given.

    Minutes include reading the data, but not the time of the callback. If the last layer is solved, the last step has
    two rows.
    """
    began, spent, last = time.monotonic(), 0.0, ("", 0.0)
    with out.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerow(["step", "minutes", "psnr"])

    def add_row(network: nn.Module) -> None:
        nonlocal spent, last
        now = time.monotonic()
        rows = out.with_name(f"{out.name.split('.')[0]}.csv").read_text(encoding="utf-8").split()
        step = rows[-1].split(",")[0]
        mark = step, float(sum(one.detach().double().abs().sum() for one in network.parameters()))
        if mark == last:
            return
        last = mark
        network.eval()
        found = [psnr(to_levels(denoise(network, one, square=False, device=here(network))), c) for c, one in frames]
        network.train()
        with out.open("a", newline="", encoding="utf-8") as file:
            minutes = (now - began - spent) / 60
            csv.writer(file).writerow([step, f"{minutes:.2f}", f"{np.mean(found):.3f}"])
        spent += time.monotonic() - now

    return add_row


def here(network: nn.Module) -> torch.device:
    """Return the device of a network."""
    return next(network.parameters()).device


@application.command()
def train(
    work: Work,
    name: Annotated[str, Argument(help="Name of the weights.")],
    objective: Annotated[str, Argument(help="A name in OBJECTIVES.")],
    steps: Annotated[int, Option(help="Training steps.")] = 9000,
    batch: Annotated[int, Option(help="Crops of each step.")] = 8,
    crop: Annotated[int, Option(help="px, of a crop.")] = 64,
    network: Annotated[str, Option(help="A name in NETWORKS.")] = "unet",
    every: Annotated[int, Option(help="Steps between two points of the curve.")] = 500,
    init: Annotated[str | None, Option(help="Initial weights: NAME of starts/NAME.safetensors there.")] = None,
    subsample: Annotated[float, Option(help="Share of crops that take every other pixel.")] = 0.5,
    rotate_colors: Annotated[float, Option(help="Share of crops whose colours are rotated.")] = 0.0,
    learning_rate: Annotated[float, Option(help="Highest learning rate.")] = 1e-3,
    last_layer: Annotated[str, Option(help="auto, stein or trained; for training on aligned pairs.")] = "auto",
) -> None:
    """Train a denoiser; write weights, curves and figures to the working folder under its name."""
    with within(work):
        params, out = Path(f"{name}.yaml"), Path(f"{name}.safetensors")
        set_params(
            params,
            Path("params.yaml"),
            train_denoiser__network=network,
            train_denoiser__init=init,
            train_denoiser__subsample=subsample,
            train_denoiser__rotate_colors=rotate_colors,
            train_denoiser__last_layer=last_layer,
            train_denoiser__training__steps=steps,
            train_denoiser__training__batch=batch,
            train_denoiser__training__crop=crop,
            train_denoiser__training__learning_rate=learning_rate,
            train_denoiser__training__validate_every=every,
        )
        chosen = load(params)
        shown = held_out_frames()
        on_validation = curve_of(Path(f"{name}.curve.csv"), shown) if shown else None
        print(f"{name}: {objective}, {network}, {steps} steps, {device()}", flush=True)
        settings = replace(chosen.train_denoiser.settings(), objective=objective)
        shared: dict[str, Any] = {"out": out, "settings": settings, "seed": chosen.seed, "bars": silent}
        if load_member(OBJECTIVES, objective, "objective").aligned:
            trained = train_on_pairs(
                name,
                pairs=PAIRS,
                metrics=out.with_suffix(".json"),
                sampler=chosen.sampler.settings(),
                on_validation=on_validation,
                **shared,
            )
        else:
            crops = chosen.generate_pairs.crops()
            trained = train_on_frames(
                name, noisy=NOISY, frames=FRAMES, pairs=PAIRS, crops=crops, on_validation=on_validation, **shared
            )
        print(*trained.notes, trained.figures, sep="\n")


@application.command()
def test(work: Work, names: Annotated[list[str], Argument(help="Names of weights.")]) -> None:
    """Measure weights on Kodak, BSD300 and Set14, the first repeat of each."""
    with within(work):
        methods = {name: {"file": f"{name}.safetensors"} for name in names}
        set_params(Path("test.yaml"), Path("params.yaml"), benchmark__methods=methods)
        for name in names:
            out = Path("benchmark") / name
            command("benchmark", method=name, benchmark_sets=Path("benchmark_sets"), out=out, params=Path("test.yaml"))


if __name__ == "__main__":
    application()
