r"""Weights for footage of cameras, from DAVIS alone: its sequences filmed by many noisy cameras, then trained on.

::

    mkdir -p work/starts && cp starts/davis_*.safetensors work/starts
    python benchmarks/camera_training.py data/DAVIS/JPEGImages/480p work
    train="python benchmarks/davis_denoising.py train work"
    $train first recorrupted_neighbours --steps 4000 --init davis_levels --learning-rate 5e-4 --last-layer trained
    cp work/first.safetensors work/starts
    $train second recorrupted_neighbours --steps 1500 --init first --learning-rate 4e-4 --batch 4 --crop 128 \
        --last-layer trained
    cp work/second.safetensors work/starts
    $train third recorrupted_neighbours --steps 5000 --init second --learning-rate 5e-4 --last-layer trained
    cp work/third.safetensors work/starts
    $train fourth recorrupted_neighbours --steps 1800 --init third --learning-rate 4e-4 --batch 4 --crop 128 \
        --last-layer trained

Every fourth sequence is held out. The others are cut in parts. Each part has a camera of its own: photons, read noise,
white balance and demosaicking are drawn, and so is what becomes of it, a quarter each: pictures as they come from the
camera, and three ranges of quality of H.264 or HEVC. The trainings see the recordings alone.
"""

from itertools import product
from pathlib import Path
from typing import Annotated

import numpy as np
from davis_denoising import FRAMES, HELD_OUT, NOISY, PAIRS, PROFILE, Work, command, cut_sequences, set_params, within
from typer import Argument, Option, Typer

from self2align.params.loading import load
from self2align.runtime.seeding import generator

PHOTONS = (25.0, 1500.0)  # at white; drawn evenly in the logarithm, as is the read noise in electrons
READ = (1.0, 4.0)
RED, BLUE = (1.6, 2.4), (1.3, 2.0)
QUALITIES = ((15, 20), (21, 25), (26, 31))
HEVC = 0.3  # share of the coded parts; the others are H.264
ZOOMED, ZOOM = 0.4, (1.2, 2.2)  # share of enlarged pictures, and by how much: real noise is often coarser
NOISE = Path("measure_noise/profiles.json")
application = Typer(help=__doc__)


def film(parts: Path, out: Path, takes: int) -> None:
    """Film each part, a folder of frames, by cameras of its own; recordings that are there already stay."""
    for number, (part, take) in enumerate(product(sorted(parts.iterdir()), range(takes))):
        name = f"{part.name}-{take}"
        draw = generator(0, "camera of", name)

        def between(low: float, high: float, draw: np.random.Generator = draw) -> float:
            return low * (high / low) ** float(draw.random())

        options = {
            "peak": f"{between(*PHOTONS):.1f}",
            "read": f"{between(*READ):.2f}",
            "red": f"{between(*RED):.2f}",
            "blue": f"{between(*BLUE):.2f}",
            "demosaic": ("edge_aware", "bilinear")[int(draw.integers(2))],
            "seed": str(number),
        }
        codec = "hevc" if draw.random() < HEVC else "h264"
        kind = (number + number // (len(QUALITIES) + 1)) % (len(QUALITIES) + 1)  # of every take
        if draw.random() < ZOOMED:
            options["zoom"] = f"{between(*ZOOM):.2f}"
        made = out / "raw" / name
        if kind:
            low, high = QUALITIES[kind - 1]
            options |= {"codec": codec, "quality": str(draw.integers(low, high + 1))}
            made = out / "coded" / f"{name}.mkv"
        if not made.exists():
            made.parent.mkdir(parents=True, exist_ok=True)
            command("simulate", part, made, **options)


@application.command()
def prepare(
    davis: Annotated[Path, Argument(help="Folder of sequences.")],
    work: Work,
    parts: Annotated[int, Option(help="Parts of each sequence.")] = 4,
    takes: Annotated[int, Option(help="Recordings of each part, each with a camera of its own.")] = 2,
    targets: Annotated[int, Option(help="Target frames of each recording.")] = 8,
    crops: Annotated[int, Option(help="Crops of each target.")] = 6,
    size: Annotated[int, Option(help="px, of these crops.")] = 128,
    trained: Annotated[Path | None, Option(help="Aligner; default: starts/davis_motion of the folder.")] = None,
) -> None:
    """Film the sequences and run the stages up to the pairs."""
    names = sorted(entry.name for entry in davis.iterdir() if entry.is_dir())
    shown = [name for name in names if name not in names[::HELD_OUT]]
    filmed = work.resolve() / "filmed"
    film(cut_sequences(davis.resolve(), work.resolve() / "parts", shown, parts), filmed, takes)
    roles = ["align", "pairs"]
    sources = {
        "raw": {"kind": "folder", "path": str(filmed / "raw"), "glob": ["*"], "roles": roles},
        "coded": {"kind": "video", "path": str(filmed / "coded"), "glob": ["*"], "roles": roles},
    }
    trained = trained.resolve() if trained else None
    aligner = load(PROFILE).train_ian.aligners["refined_dis"].model_dump()
    aligner |= {"init": "davis_motion", "loss": "none", "training": None}
    with within(work):
        set_params(
            Path("params.yaml"),
            PROFILE,
            ingest__sources=sources,
            benchmark_sets={},
            synthesize__model="none",
            synthesize__sigma_max=None,
            train_ian__aligners={"refined_dis": aligner},
            generate_pairs__offsets=[1],
            generate_pairs__targets_per_scene=targets,
            generate_pairs__crops_per_target=crops,
            generate_pairs__crop=size,
            benchmark__methods={},
            train_baselines__runs={},
        )
        for name in sources:
            command("ingest", source=name, out=FRAMES / f"{name}.zarr")
        command("synthesize", frames=FRAMES, out=NOISY)
        command("measure_noise", noisy=NOISY, out=NOISE)
        weights = trained or Path("train_ian/refined_dis.safetensors")
        if trained is None:
            command("train_ian", aligner="refined_dis", noisy=NOISY, noise=NOISE, out=weights)
        command("generate_pairs", noisy=NOISY, noise=NOISE, aligner=weights, out=PAIRS)


if __name__ == "__main__":
    application()
