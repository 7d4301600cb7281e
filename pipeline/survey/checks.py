"""The checks of `doctor`. Each yields findings: what was checked, its state, and what to do."""

import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from typing import Any

import torch
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from ruamel.yaml import YAML

from self2align import __version__
from self2align.alignment.loading import load_aligner
from self2align.denoising.inference import load_denoiser
from self2align.params.loading import load
from self2align.params.schema import Params
from self2align.report.contents import size_text
from self2align.runtime.cores import cores
from self2align.runtime.devices import device, use_bfloat16
from self2align.runtime.locks import has_locks
from self2align.runtime.scratch import root
from self2align.runtime.shipped import PACKAGE, code_folders, shipped
from self2align.runtime.workers import workers
from self2align.stores.build import verify
from self2align.stores.contents import damage, store_kind
from self2align.stores.weights import load_weights
from self2align.survey.repair import advice, shared
from self2align.training.holding import memory_limit

NAME = "self2align"
FREE = 5 * 2**30  # bytes: the stores of a small project
SHOWN = 4  # names in a list
ABSENT = {"deleted", "not in cache"}  # DVC's states of files in a fresh clone
DATA, STARTS = Path("data"), Path("starts")


@dataclass(frozen=True)
class Finding:
    """One line of the report.

    Attributes
    ----------
    subject, text
        What was checked, and its state.
    advice
        What to do; empty if nothing is wrong.
    broken
        Whether something cannot work, or is lost.
    """

    subject: str
    text: str
    advice: str = ""
    broken: bool = False

    def __str__(self) -> str:
        """Return the line."""
        if not self.advice:
            return f"ok     {self.subject}: {self.text}"
        return f"{'broken' if self.broken else 'warn  '} {self.subject}: {self.text}; {self.advice}"


def listed(names: Sequence[str]) -> str:
    """Return names as text: the first few, and the number of the others."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def examine(params: Path, read_stores: bool) -> Iterator[Finding]:
    """Run all checks, what other checks depend on first.

    Parameters
    ----------
    params
        Parameter file. Without one, only environment and machine are checked.
    read_stores
        Whether whole stores are read and compared with their digests.
    """
    yield from check_environment()
    yield from check_machine()
    if not params.is_file():
        yield Finding(str(params), "no such file", "go to a working folder, or make one with `self2align init`")
        return
    try:
        chosen = load(params)
    except ValueError as error:
        yield Finding(str(params), str(error).removeprefix(f"{params}: "), "correct the file", broken=True)
    else:
        yield Finding(str(params), "valid")
        yield from check_folder(chosen)
        yield from check_python()
        yield from check_stages()
    if read_stores:
        yield from check_stores(DATA)
    yield from check_weights([DATA, STARTS])
    yield from check_cache(DATA)
    yield from check_leftovers(DATA)


def check_environment() -> Iterator[Finding]:
    """Check Python, the required packages, and the versions that the published results were made with."""
    installed = distribution(NAME)
    needed, found = str(installed.metadata["Requires-Python"]), platform.python_version()
    if SpecifierSet(needed).contains(found):
        yield Finding("Python", f"{found}, self2align {__version__}")
    else:
        yield Finding("Python", found, f"self2align {__version__} needs Python {needed}", broken=True)
    wrong = [text for item in installed.requires or [] if (text := _unmet(Requirement(item)))]
    if wrong:
        yield Finding("packages", listed(wrong), f"`pip install --upgrade {NAME}`", broken=True)
    else:
        yield Finding("packages", "all required packages are installed")
    lock = PACKAGE.parent / "requirements.lock"
    if lock.is_file():
        yield _locked(lock)


def _unmet(requirement: Requirement) -> str:
    """Return what is wrong with a required package; empty if it fits, or if only an extra requires it."""
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        return ""
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is missing"
    fits = requirement.specifier.contains(found, prereleases=True)
    return "" if fits else f"{requirement.name}: found {found}, expected {requirement.specifier}"


def _locked(lock: Path) -> Finding:
    differing = []
    for line in lock.read_text(encoding="utf-8").split():
        name, _, expected = line.partition("==")
        try:
            found = version(name).partition("+")[0]
        except PackageNotFoundError:
            found = "missing"
        if found != expected:
            differing.append(f"{name} {found}, not {expected}")
    if differing:
        text = f"{len(differing)} packages differ ({listed(differing)})"
        return Finding(lock.name, text, "figures may differ in the last digits; `make env` installs these versions")
    return Finding(lock.name, "the installed versions are the same")


def check_machine() -> Iterator[Finding]:
    """Check the computing device, the environment variables and the disk."""
    try:
        where = device()
        name = torch.cuda.get_device_name(where) if where.type == "cuda" else f"CPU, {cores()} cores"
        precision = "bfloat16" if use_bfloat16(where, "auto") else "float32"
        yield Finding("device", f"{name}; precision auto means {precision}")
        yield Finding("workers", f"{workers()} processes, {size_text(memory_limit())} of memory for pairs")
    except ValueError as error:
        yield Finding("environment", str(error), "set the variable to what is expected", broken=True)
    free = shutil.disk_usage(Path.cwd()).free
    if free < FREE:
        yield Finding("disk", f"{size_text(free)} free", "free some space: the stores of a project take gigabytes")
    else:
        yield Finding("disk", f"{size_text(free)} free")


def check_folder(params: Params) -> Iterator[Finding]:
    """Check the working folder: its links to the code, its pipeline, its footage."""
    for name, code in code_folders().items():
        link = Path(name)
        if link.is_symlink() and not link.is_dir():
            yield Finding(name, f"the link to {link.readlink()} is broken", f"`ln -sfn {code} {name}`", broken=True)
    template = shipped("dvc.yaml")
    if not Path("dvc.yaml").is_file():
        yield Finding("dvc.yaml", "no such file", f"`cp {template} .`", broken=True)
    elif Path("dvc.yaml").read_bytes() != template.read_bytes():
        yield Finding("dvc.yaml", f"differs from that of self2align {__version__}", f"compare it with {template}")
    else:
        yield Finding("dvc.yaml", f"that of self2align {__version__}")
    sources = {f"ingest.sources.{key}": one.path for key, one in params.ingest.sources.items()}
    sources |= {f"benchmark_sets.{key}": one.path for key, one in params.benchmark_sets.items()}
    sources |= {f"benchmark_videos.{key}": one.path for key, one in params.benchmark_videos.items()}
    missing = [f"{key}: {path}" for key, path in sources.items() if not Path(path).exists()]
    if missing:
        text = f"no such file or folder ({listed(missing)})"
        yield Finding("footage", text, "correct the path in the parameters", broken=True)
    else:
        yield Finding("footage", "all files and folders of the parameters exist")


def check_python() -> Iterator[Finding]:
    """Check that the command `python`, which dvc.yaml calls, is the Python of this environment."""
    folder = Path(sys.executable).parent
    found = shutil.which("python")
    if found is not None and Path(found).parent.samefile(folder):
        yield Finding("python", "the command is that of this environment")
        return
    text = "no such command" if found is None else f"the command is {found}, of another environment"
    activate = folder / "activate"
    advice = f"`. {activate}`" if activate.is_file() else f'`export PATH="{folder}:$PATH"`'
    yield Finding("python", f"{text}, and `dvc repro` calls it", advice)


def _statuses(changes: Sequence[Any]) -> Iterator[str]:
    """Yield DVC's states of the changed files of a stage; a parameter file has a state for each parameter instead."""
    groups = (files for change in changes if isinstance(change, Mapping) for files in change.values())
    for files in groups:
        if isinstance(files, Mapping):
            yield from (state for state in files.values() if isinstance(state, str))


def check_stages() -> Iterator[Finding]:
    """Check which stages have run and which would run again."""
    # -P keeps the working folder out of the import path: no file in it can shadow a module.
    command = [sys.executable, "-P", "-m", "dvc", "status", "--json"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if re.search("is busy, it is being blocked by|Unable to acquire lock", asked.stderr):
        if not has_locks(Path(".dvc")):
            text = "the file system has no locks, which DVC needs unless it is told to use hard links"
            advice = "`dvc config core.hardlink_lock true && rm -f .dvc/tmp/lock .dvc/tmp/rwlock.lock`"
            yield Finding("stages", text, advice, broken=True)
            return
        who = re.search(r"\(PID (\d+)\): ([^\n]*)", asked.stderr)
        name = f" ({who[2]}, process {who[1]})" if who else ""
        yield Finding("stages", f"DVC is running here{name}", "repeat the check when it has finished")
        return
    if asked.returncode:
        why = re.sub(r"^ERROR: ", "", asked.stderr.strip().partition("\n")[0])
        yield Finding("stages", f"`dvc status` failed: {why}", "correct that first", broken=True)
        return
    changed: Mapping[str, Any] = json.loads(asked.stdout or "{}")
    lock = Path("dvc.lock")
    ran = YAML(typ="safe", pure=True).load(lock.read_text(encoding="utf-8"))["stages"] if lock.is_file() else {}
    fresh = [name for name in ran if name not in changed]
    absent = [name for name in changed if name in ran and ABSENT & set(_statuses(changed[name]))]
    stale = [name for name in changed if name in ran and name not in absent]
    never = [name for name in changed if name not in ran]
    if fresh:
        yield Finding("stages", f"{len(fresh)} up to date")
    for names, state in ((absent, "lack files"), (stale, "out of date"), (never, "not run yet")):
        if names:
            yield Finding("stages", f"{len(names)} {state} ({listed(names)})", "`dvc repro`")


def check_stores(folder: Path) -> Iterator[Finding]:
    """Check every store below a folder: its files against its digest and, if they differ, each shard."""
    for path in sorted(found for found in folder.rglob("*.zarr") if found.is_dir()):
        try:
            kind = store_kind(path)
        except ValueError as error:
            yield Finding(str(path), str(error).removeprefix(f"{path}: "), advice(path), broken=True)
            continue
        try:
            verify(path)
        except ValueError:
            wrong = listed(damage(path)) or "its files differ from those that were written"
            yield Finding(str(path), wrong, advice(path), broken=True)
            continue
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        yield Finding(str(path), f"{kind}, {size_text(size)}, matches its digest")


def check_weights(folders: Sequence[Path]) -> Iterator[Finding]:
    """Check every weights file: whether it is complete, and fits the network or aligner in its header."""
    for path in sorted(file for folder in folders for file in folder.rglob("*.safetensors")):
        if not path.stat().st_size:
            continue  # a baseline that could not be trained
        try:
            kind = load_weights(path)[1].get("kind", "weights")
            if kind == "denoiser":
                load_denoiser(path, torch.device("cpu"))
            elif kind == "aligner":
                load_aligner(path, torch.device("cpu"))
        except ValueError as error:
            text = str(error).removeprefix(f"{path}: ").removesuffix("; `self2align doctor` says how to restore it")
            yield Finding(str(path), text, advice(path), broken=True)
            continue
        yield Finding(str(path), f"{kind}, {size_text(path.stat().st_size)}")


def check_cache(folder: Path) -> Iterator[Finding]:
    """Check that results and DVC's cache are not the same files: a byte changed in one would change in the other."""
    if links := shared(folder):
        text = f"{listed([str(path) for path in links])}: one file with its copy in the cache; damage would hit both"
        yield Finding("cache", text, "`dvc config cache.type reflink,copy && dvc checkout --relink`")


def check_leftovers(folder: Path) -> Iterator[Finding]:
    """Check for files of interrupted runs."""
    scratch = root()
    work = sorted(path.name for path in scratch.glob("*") if path.is_dir()) if scratch.is_dir() else []
    if work:
        size = sum(file.stat().st_size for file in scratch.rglob("*") if file.is_file())
        yield Finding(
            str(scratch),
            f"{size_text(size)} of unfinished work ({listed(work)})",
            f"`dvc repro` resumes what is still needed; then `rm -r {scratch}`, while nothing runs",
        )
    partial = sorted(str(path) for path in folder.rglob(".*.partial"))
    if partial:
        yield Finding("partial files", listed(partial), "delete them, while nothing runs")
    if not work and not partial:
        yield Finding("leftovers", "none")
