"""What `doctor` looks at: each check yields findings in plain words."""

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
from self2align.runtime.devices import device, use_bfloat16
from self2align.runtime.scratch import root
from self2align.runtime.shipped import PACKAGE, code_folders, shipped
from self2align.runtime.workers import cores, workers
from self2align.stores.build import verify
from self2align.stores.contents import damage, store_kind
from self2align.stores.weights import load_weights
from self2align.training.feed import memory_limit

NAME = "self2align"
ROOM = 5 * 2**30  # bytes: the stores of a small project
SHOWN = 4  # names in a list
ABSENT = {"deleted", "not in cache"}  # DVC's words, of a clone that has run nothing
CHECKOUT = "`dvc checkout` brings back what the cache holds"
DATA, STARTS = Path("data"), Path("starts")


@dataclass(frozen=True)
class Finding:
    """One line.

    Attributes
    ----------
    subject, text
        What was looked at, and how it is.
    advice
        What to do; empty where all is well.
    broken
        Whether something cannot work, or has been lost.
    """

    subject: str
    text: str
    advice: str = ""
    broken: bool = False

    def __str__(self) -> str:
        """Return the line."""
        if not self.advice:
            return f"ok     {self.subject}: {self.text}"
        return f"{'broken' if self.broken else 'look  '} {self.subject}: {self.text}: {self.advice}"


def listed(names: Sequence[str]) -> str:
    """Return some names, the first few of them."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")


def examine(params: Path, whole: bool) -> Iterator[Finding]:
    """Look at everything, in the order in which it is needed.

    Parameters
    ----------
    params
        Parameter file; without it this is no working folder, and there is less to look at.
    whole
        Whether stores are read from end to end.
    """
    yield from check_environment()
    yield from check_machine()
    if not params.is_file():
        yield Finding(str(params), "found none", "go to a working folder, or make one with `self2align init`")
        return
    try:
        chosen = load(params)
    except ValueError as error:
        yield Finding(str(params), str(error).removeprefix(f"{params}: "), "correct it", broken=True)
    else:
        yield Finding(str(params), "valid")
        yield from check_folder(chosen)
        yield from check_python()
        yield from check_stages()
    if whole:
        yield from check_stores(DATA)
    yield from check_weights([DATA, STARTS])
    yield from check_leftovers(DATA)


def check_environment() -> Iterator[Finding]:
    """Look at Python and at the packages: those that are needed, and those that results were made with."""
    mine = distribution(NAME)
    needed, found = str(mine.metadata["Requires-Python"]), platform.python_version()
    if SpecifierSet(needed).contains(found):
        yield Finding("Python", f"{found}, self2align {__version__}")
    else:
        yield Finding("Python", found, f"self2align {__version__} needs {needed}", broken=True)
    wrong = [text for item in mine.requires or [] if (text := _unmet(Requirement(item)))]
    if wrong:
        yield Finding("packages", listed(wrong), f"pip install --upgrade {NAME}", broken=True)
    else:
        yield Finding("packages", "all that are needed")
    lock = PACKAGE.parent / "requirements.lock"
    if lock.is_file():
        yield _locked(lock)


def _unmet(requirement: Requirement) -> str:
    """Return what is wrong with an installed package; nothing where it suits, or where an extra alone needs it."""
    if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
        return ""
    try:
        found = version(requirement.name)
    except PackageNotFoundError:
        return f"{requirement.name} is missing"
    suits = requirement.specifier.contains(found, prereleases=True)
    return "" if suits else f"{requirement.name} {found} is not {requirement.specifier}"


def _locked(lock: Path) -> Finding:
    other = []
    for line in lock.read_text(encoding="utf-8").split():
        name, _, wanted = line.partition("==")
        try:
            found = version(name).partition("+")[0]
        except PackageNotFoundError:
            found = "missing"
        if found != wanted:
            other.append(f"{name} {found} ({wanted})")
    if other:
        return Finding(
            lock.name, f"other versions here: {listed(other)}", "figures may differ in the last digits; `make env`"
        )
    return Finding(lock.name, "the same versions")


def check_machine() -> Iterator[Finding]:
    """Look at what computes, at the variables of the environment and at the disk."""
    try:
        where = device()
        name = torch.cuda.get_device_name(where) if where.type == "cuda" else f"CPU, {cores()} cores"
        half = "bfloat16" if use_bfloat16(where, "auto") else "float32"
        yield Finding("device", f"{name}; precision `auto` is {half}")
        yield Finding("at run time", f"{workers()} workers, {size_text(memory_limit())} of pairs in memory")
    except ValueError as error:
        yield Finding("environment", str(error), "unset it", broken=True)
    free = shutil.disk_usage(Path.cwd()).free
    if free < ROOM:
        yield Finding("disk", f"{size_text(free)} free", "make room: stores of footage take gigabytes")
    else:
        yield Finding("disk", f"{size_text(free)} free")


def check_folder(params: Params) -> Iterator[Finding]:
    """Look at the working folder: its pipeline, its links to the code, its footage."""
    for name, place in code_folders().items():
        link = Path(name)
        if link.is_symlink() and not link.is_dir():
            advice = f"ln -sfn {place} {name}"
            yield Finding(name, f"a link to {link.readlink()}, where nothing is", advice, broken=True)
    template = shipped("dvc.yaml")
    if not Path("dvc.yaml").is_file():
        yield Finding("dvc.yaml", "found none", f"cp {template} .", broken=True)
    elif Path("dvc.yaml").read_bytes() != template.read_bytes():
        yield Finding("dvc.yaml", f"not that of self2align {__version__}", f"compare it with {template}")
    else:
        yield Finding("dvc.yaml", f"that of self2align {__version__}")
    sources = {f"ingest.sources.{key}": one.path for key, one in params.ingest.sources.items()}
    sources |= {f"benchmark_sets.{key}": one.path for key, one in params.benchmark_sets.items()}
    lost = [f"{key}: {path}" for key, path in sources.items() if not Path(path).exists()]
    if lost:
        yield Finding("footage", f"not there: {listed(lost)}", "set the path in params.yaml", broken=True)
    else:
        yield Finding("footage", "all of it is there")


def _statuses(changes: Sequence[Any]) -> Iterator[str]:
    """Yield DVC's words for what became of each file of a stage."""
    for change in changes:
        if isinstance(change, Mapping):
            for files in change.values():
                yield from files.values() if isinstance(files, Mapping) else [str(files)]


def check_python() -> Iterator[Finding]:
    """Check that `python`, which dvc.yaml calls, is the Python of this environment."""
    found = shutil.which("python")
    if found is not None and Path(found).parent.samefile(Path(sys.executable).parent):
        yield Finding("python", "the command belongs to this environment")
        return
    what = "no such command" if found is None else f"the command is {found}, of another environment"
    yield Finding("python", what, f"before `dvc repro`: . {Path(sys.executable).with_name('activate')}")


def check_stages() -> Iterator[Finding]:
    """Look at which stages have run and which would run again."""
    # -P: no file of the working folder stands in for a module.
    command = [sys.executable, "-P", "-m", "dvc", "status", "--json"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if re.search("is busy, it is being blocked by|Unable to acquire lock", asked.stderr):
        who = re.search(r"\(PID (\d+)\): ([^\n]*)", asked.stderr)
        name = f" ({who[2]}, process {who[1]})" if who else ""
        yield Finding("stages", f"a run is at work here{name}", "ask again when it has ended")
        return
    if asked.returncode:
        why = re.sub(r"^ERROR: ", "", asked.stderr.strip().partition("\n")[0])
        yield Finding("stages", f"DVC cannot tell: {why}", "mend what it names", broken=True)
        return
    changed: Mapping[str, Any] = json.loads(asked.stdout or "{}")
    lock = Path("dvc.lock")
    ran = YAML(typ="safe", pure=True).load(lock.read_text(encoding="utf-8"))["stages"] if lock.is_file() else {}
    fresh = [name for name in ran if name not in changed]
    absent = [name for name in changed if name in ran and ABSENT & set(_statuses(changed[name]))]
    stale = [name for name in changed if name in ran and name not in absent]
    never = [name for name in changed if name not in ran]
    if fresh:
        yield Finding("stages", f"{len(fresh)} are up to date")
    if absent:
        yield Finding("stages", f"what {len(absent)} need or make is not here yet ({listed(absent)})", "`dvc repro`")
    if stale:
        yield Finding("stages", f"what {len(stale)} depend on or made has changed ({listed(stale)})", "`dvc repro`")
    if never:
        yield Finding("stages", f"{len(never)} have not run yet ({listed(never)})", "`dvc repro`")


def check_stores(folder: Path) -> Iterator[Finding]:
    """Look at every store below a folder: its files against its digest, and, where they differ, at each shard."""
    for path in sorted(found for found in folder.rglob("*.zarr") if found.is_dir()):
        try:
            kind = store_kind(path)
        except ValueError as error:
            yield Finding(str(path), str(error).removeprefix(f"{path}: "), CHECKOUT, broken=True)
            continue
        try:
            verify(path)
        except ValueError:
            wrong = listed(damage(path)) or "files are not those that were written"
            yield Finding(str(path), wrong, CHECKOUT, broken=True)
            continue
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        yield Finding(str(path), f"{kind}, {size_text(size)}, as it was written")


def check_weights(folders: Sequence[Path]) -> Iterator[Finding]:
    """Look at every file of weights: whether it is whole, and fits the network or aligner that it names."""
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
            text = str(error).removeprefix(f"{path}: ")
            yield Finding(str(path), text, CHECKOUT, broken=True)
            continue
        yield Finding(str(path), f"{kind}, {size_text(path.stat().st_size)}")


def check_leftovers(folder: Path) -> Iterator[Finding]:
    """Look at what runs that were ended have left."""
    scratch = root()
    work = sorted(path.name for path in scratch.glob("*") if path.is_dir()) if scratch.is_dir() else []
    if work:
        size = sum(file.stat().st_size for file in scratch.rglob("*") if file.is_file())
        yield Finding(
            str(scratch),
            f"{size_text(size)} of unfinished work ({listed(work)})",
            f"`dvc repro` goes on with what is still wanted; then `rm -r {scratch}`, while nothing runs",
        )
    partial = sorted(str(path) for path in folder.rglob(".*.partial"))
    if partial:
        yield Finding("half-written files", listed(partial), "remove them, while nothing runs")
    if not work and not partial:
        yield Finding("leftovers", "none")
