"""The GPU path proved and measured by one command, which stops in time and goes on when it is called again.

::

    python benchmarks/gpu.py --out gpu --minutes 10
    python benchmarks/gpu.py --out gpu --minutes 4          # goes on with what the first call left
    python benchmarks/gpu.py --out dry --dry                # everything, small, on a CPU

Parts: ``compare`` (what the GPU computes beside the CPU, each with a limit), ``tests`` (those marked gpu), ``train``
(crops a second, and what bounds them), ``work`` (alignment, pairs, denoising), ``quality`` (a training by
profiles/gpu.yaml for the rest of the time). ``--out`` gets report.md, results.json and the weights with their curve.
The exit code is 1 if a limit is passed or a test fails. docs/gpu.md explains the figures.
"""

import hashlib
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import gpu_checks
import gpu_speed
import gpu_training
import torch
from gpu_record import Record, faults, report
from gpu_speed import Row
from gpu_training import ROOT, Clock
from typer import Exit, Option, run

from self2align.evaluation.costs import hardware
from self2align.params.loading import load
from self2align.params.schema import Params
from self2align.runtime.devices import device
from self2align.runtime.scratch import write_atomically
from self2align.training.settings import DenoiserSettings

# Each part ends when this share of the call's time is over; the next call goes on with it.
PARTS = {"compare": 0.25, "tests": 0.4, "train": 0.6, "work": 0.75, "quality": 1.0}
SMALL = {"targets_per_scene": 2, "crops_per_target": 2, "crop": 64, "margin": 8}
SIZES = {"448x256": (256, 448), "1080p": (1080, 1920), "4K": (2160, 3840)}


def computing_device(dry: bool) -> torch.device:
    """Return the GPU; in a dry run the CPU.

    Raises
    ------
    ValueError
        If there is none that torch can compute on.
    """
    if dry:
        return torch.device("cpu")
    where = device()
    if where.type != "cuda":
        apple = torch.backends.mps.is_available()
        found = "an Apple GPU (mps), which self2align does not use" if apple else "no CUDA device"
        raise ValueError(f"GPU: found {found}, expected a CUDA device; --dry runs everything small on the CPU")
    return where


def code_digest() -> str:
    """Return a digest of the package and of this benchmark."""
    files = sorted([*(ROOT / "pipeline").rglob("*.py"), *(ROOT / "benchmarks").glob("gpu*.py")])
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:16]


def compare(record: Record, clock: Clock, where: torch.device, dry: bool) -> None:
    """Compare the device with the CPU."""

    def find(check: gpu_checks.Check) -> Row:
        try:
            found = gpu_checks.difference(check, where)
            if math.isinf(found):
                return {"failed": "other shapes, or values that are not finite", "limit": check.limit}
            return {"difference": found, "limit": check.limit}
        except torch.OutOfMemoryError:
            raise
        except (RuntimeError, TypeError, ValueError) as error:  # of one path: the others are compared all the same
            return {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", "limit": check.limit}

    for check in gpu_checks.checks(small=dry):
        record.measure("compare", f"{check.part}: {check.name}", clock, partial(find, check))


def tests(record: Record, clock: Clock, folder: Path) -> None:
    """Run the tests marked gpu, on the device in use."""

    def find() -> Row:
        if find_spec("pytest") is None:
            return {"skipped": "found no pytest, expected that of requirements.lock"}
        command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "-p", "no:cacheprovider", str(folder)]
        # They have folders of their own for unfinished work.
        own = {key: value for key, value in os.environ.items() if key != "SELF2ALIGN_SCRATCH"}
        left = max(clock.left(), 1.0)
        ended = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, timeout=left)
        last = ended.stdout.strip().splitlines()[-1:] or [ended.stderr.strip()[-200:]]
        failed = re.findall(r"^(?:FAILED|ERROR) (\S+)", ended.stdout, re.MULTILINE)
        row: Row = {"outcome": last[0].strip("= "), "code": ended.returncode}
        return row | ({"failed": ", ".join(failed)} if failed else {})

    try:
        record.measure("tests", "marked gpu", clock, find)
    except subprocess.TimeoutExpired:
        print("tests: not finished in time; the next call runs them again", flush=True)


def train_speed(record: Record, clock: Clock, where: torch.device, dry: bool, use: "Use") -> None:
    """Measure the card, and crops a second in training."""
    names = ("plain torch", "one batch", "as trained")
    if all(name in record.rows.get("train", {}) for name in names) or clock.left() <= 0:
        return
    card = gpu_speed.measure_card(where, dry)
    row = {"TFLOP a second": card.flops / 1e12, "GB a second": card.bandwidth / 1e9, "us a launch": card.launch * 1e6}
    record.keep("train", "card", row)
    draw = gpu_training.feed_of(use.pairs, use.chosen, use.settings, use.folder)
    for name, found in gpu_speed.trainings(use.settings, draw, card, where, dry).items():
        record.keep("train", name, found)


def work(record: Record, clock: Clock, where: torch.device, dry: bool, memory: int) -> None:
    """Measure alignment, pairs and denoising."""
    sizes = {"96x64": (64, 96)} if dry else SIZES
    for name, (height, width) in sizes.items():
        find = partial(gpu_speed.alignment, height, width, where, 0.05 if dry else 3.0)
        record.measure("work", f"align {name}", clock, find)
    least, radius, frames, seconds = (1, 1, 2, 0.0) if dry else (2, 2, 6, 10.0)
    for name, (height, width) in sizes.items():
        for neighbours, limit in sorted({(0, least), (0, memory), (radius, memory)}):
            how = (neighbours, limit * 2**30, where, frames, seconds)
            what = f"--temporal {neighbours}" if neighbours else "single frames"
            row = f"denoise {name}, {what}, {limit} GiB"
            record.measure("work", row, clock, partial(gpu_speed.denoising, height, width, *how))


@dataclass(frozen=True)
class Use:
    """What is trained on, and how.

    Attributes
    ----------
    chosen, settings
        The profile, and its denoiser with the batch that fits the memory.
    pairs, folder
        Store of pairs; folder for arrays that are mapped.
    """

    chosen: Params
    settings: DenoiserSettings
    pairs: Path
    folder: Path


def prepare(record: Record, where: torch.device, profile: Path, pairs: Path | None, out: Path, dry: bool) -> Use:
    """Choose the batch and make the pairs, unless they are there."""
    chosen = load(profile)
    settings = chosen.train_denoiser.settings()
    if dry:
        chosen, settings = small(chosen)
    batch = gpu_speed.fitting_batch(partial(gpu_speed.one_step, settings, where), settings.training.batch)
    if batch < settings.training.batch:
        print(f"memory: found too little for {settings.training.batch} crops of a batch: {batch} are used", flush=True)
    settings = replace(settings, training=replace(settings.training, batch=batch))
    if pairs is None:
        # Worker processes: on the CPU, as each would take memory of the GPU.
        with environment(SELF2ALIGN_DEVICE="cpu"):
            pairs = gpu_training.sample_pairs(chosen, out / "sample")
    (out / "held").mkdir(exist_ok=True)
    return Use(chosen, settings, pairs, out / "held")


def small(chosen: Params) -> tuple[Params, DenoiserSettings]:
    """Return a profile that takes seconds on a CPU."""
    known = chosen.ingest.sources
    few = {"exclude": [], "max_frames": 4}
    sources = {
        "photographs": known["photographs"].model_copy(update={"glob": ["photographs/rocket-drift"], **few}),
        "held_out": known["held_out"].model_copy(update={"glob": ["photographs/motorcycle-pan"], **few}),
    }
    update = {
        "ingest": chosen.ingest.model_copy(update={"sources": sources}),
        "generate_pairs": chosen.generate_pairs.model_copy(update=SMALL),
    }
    settings = chosen.train_denoiser.settings()
    every = {"checkpoint_every": 4, "log_every": 4, "validate_every": 8}
    training = replace(settings.training, steps=16, batch=8, crop=32, warmup=2, **every)
    return chosen.model_copy(update=update), replace(settings, arguments={"width": 8, "depth": 2}, training=training)


def quality(record: Record, clock: Clock, use: Use, out: Path, steps: int | None, reserve: float) -> None:
    """Train for the rest of the time, or go on with the training of an earlier call."""
    known = record.rows.get("quality", {}).get("plan")
    if steps is None and known is not None:
        steps = int(known["steps"])
    if steps is None:
        taken = record.rows.get("train", {}).get("as trained")
        if taken is None or clock.left() <= reserve:
            return
        steps = gpu_training.affordable_steps(use.settings, taken["ms a step"] / 1e3, 0.9 * (clock.left() - reserve))
    settings = replace(use.settings, training=replace(use.settings.training, steps=steps))
    if known is None or known["steps"] != steps:
        record.rows.get("quality", {}).pop("trained", None)  # that was another training
        record.keep("quality", "plan", {"steps": steps, "batch": settings.training.batch})
    elif (done := record.rows["quality"].get("trained")) is not None and done["finished"]:
        return
    weights = out / "denoiser.safetensors"
    found = gpu_training.train(use.pairs, weights, use.chosen, settings, clock, reserve)
    record.keep("quality", "trained", {key: value for key, value in found.items() if not isinstance(value, dict)})


@contextmanager
def environment(**values: str) -> Iterator[None]:
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def main(
    out: Annotated[Path, Option(help="Folder for results; an earlier call's go on.")] = Path("gpu"),
    minutes: Annotated[float, Option(help="Time of this call.")] = 10.0,
    pairs: Annotated[Path | None, Option(help="Store of pairs; default: made of the built-in sample.")] = None,
    profile: Annotated[Path, Option(help="Profile to train by.")] = ROOT / "profiles" / "gpu.yaml",
    steps: Annotated[int | None, Option(help="Steps of the training; default: what fits this call's time.")] = None,
    memory: Annotated[int, Option(help="GiB that denoising may use, beside the default of 2.")] = 16,
    only: Annotated[list[str] | None, Option(help=f"Parts to run: {', '.join(PARTS)}; default: all.")] = None,
    test_folder: Annotated[Path | None, Option(help="Where marked tests are looked for; default: all tests.")] = None,
    dry: Annotated[bool, Option("--dry", help="Everything small, on the CPU.")] = False,
) -> None:
    """Prove and measure the GPU path; train for the rest of the time."""
    chosen = list(PARTS) if not only else only
    if unknown := [part for part in chosen if part not in PARTS]:
        raise ValueError(f"--only: found {unknown[0]!r}, expected some of {', '.join(PARTS)}")
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    settings = {"SELF2ALIGN_SCRATCH": str(out / "unfinished")}
    settings |= {"SELF2ALIGN_DEVICE": "cpu", "SELF2ALIGN_WORKERS": "1"} if dry else {}
    with environment(**settings):
        where = computing_device(dry)
        clocks = {part: Clock.of(share * minutes) for part, share in PARTS.items()}
        made = {"device": hardware(), "torch": torch.__version__, "code": code_digest(), "dry": dry}
        record = Record.open(out / "results.json", made)
        if "compare" in chosen:
            compare(record, clocks["compare"], where, dry)
        if "tests" in chosen:
            few = ROOT / "tests" / ("runtime/test_runtime_on_device.py" if dry else "")
            tests(record, clocks["tests"], test_folder or few)
        if {"train", "quality"} & {*chosen} and clocks["quality"].left() > 0:
            use = prepare(record, where, profile, pairs, out, dry)
            if "train" in chosen:
                train_speed(record, clocks["train"], where, dry, use)
        if "work" in chosen:
            work(record, clocks["work"], where, dry, memory if not dry else 1)
        if "quality" in chosen and clocks["quality"].left() > 0:
            quality(record, clocks["quality"], use, out, steps, 0.0 if dry else max(20.0, 3.0 * minutes))
        write_atomically(out / "report.md", report(record).encode())
        print(report(record))
        if faults(record):
            raise Exit(1)


if __name__ == "__main__":
    try:
        run(main)
    except ValueError as error:
        sys.exit(f"gpu.py: error: {error}")
    except torch.OutOfMemoryError as error:
        way = "expected more: end other programs that use it, or lower --memory or the batch of the profile"
        sys.exit(f"gpu.py: error: memory: found too little ({' '.join(str(error).split())[:160]}), {way}")
