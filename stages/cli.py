"""`self2align`: the stages, and the tools beside them."""

import errno
import io
import os
import re
import sys
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from inspect import Parameter, signature
from pathlib import Path
from types import TracebackType
from typing import Annotated, Any

import typer

from self2align.runtime.cores import prepare_threads

SCHEDULER = "SELF2ALIGN_SCHEDULER"  # as `self2align.runtime.workers` reads it

# Names of the modules here and in `tools`, which hold a function of the same name and import nothing heavy.
STAGES = (
    "ingest",
    "benchmark_sets",
    "benchmark_videos",
    "synthesize",
    "measure_noise",
    "train_ian",
    "evaluate_alignment",
    "generate_pairs",
    "train_denoiser",
    "train_ablation",
    "train_baselines",
    "evaluate_denoiser",
    "benchmark",
    "benchmark_video",
    "report",
)
TRAININGS = ("train_ian", "train_denoiser", "train_ablation", "train_baselines")
TOOLS = (
    "bundle",
    "costs",
    "denoise",
    "doctor",
    "export",
    "init",
    "inspect",
    "pattern",
    "profile",
    "simulate",
    "sweep",
)

# Commands that are cut in tasks, which workers of a cluster can take; the others run on this machine.
CLUSTERED = (
    "ingest",
    "benchmark_sets",
    "synthesize",
    "measure_noise",
    "evaluate_alignment",
    "generate_pairs",
    "evaluate_denoiser",
    "benchmark",
    "benchmark_videos",
    "benchmark_video",
    "denoise",
    "sweep",
)

# What torch, numpy, OpenCV and Python say when memory or threads run out, or when a worker was killed for it.
_MEMORY = re.compile(
    r"out of memory|insufficient memory|(can't|cannot|unable to|failed to|could not|tried to) allocate|"
    r"could not create a (primitive|memory)|can't start new thread|terminated abruptly",
    re.IGNORECASE,
)
_GOES_ON = "what is finished stays, and the same command goes on"

app = typer.Typer(
    name="self2align",
    help="Train an image denoiser from nothing but noisy frames of moving scenes.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        from self2align import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    from self2align.training.launched import processes

    if processes() > 1 and context.invoked_subcommand not in TRAININGS:
        raise ValueError(
            f"torchrun: found {context.invoked_subcommand} on {processes()} processes, "
            f"expected one of {', '.join(TRAININGS)}; run it without torchrun"
        )


def main(stages_only: bool = False) -> None:
    """Run a command; an error is one line and a non-zero exit, a traceback only with --debug."""
    # For processes that this one starts: Python would look for modules in the working folder first.
    os.environ["PYTHONSAFEPATH"] = "1"
    prepare_threads()
    # A name that the terminal cannot show must not stop the work.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    debug = "--debug" in sys.argv[1:] or bool(os.environ.get("SELF2ALIGN_DEBUG"))
    _add_commands(stages_only)
    if not debug:
        sys.excepthook = _one_line
    # The command itself: Typer's own call would put its traceback in place of our line.
    typer.main.get_command(app)(prog_name="self2align")


def _add_commands(stages_only: bool) -> None:
    """Add the command that was asked for; all of them for the help, and where there is none of that name."""
    table = dict.fromkeys(STAGES, ("self2align.stages", "Stages of the pipeline, run by `dvc repro`"))
    if not stages_only:
        table |= dict.fromkeys(TOOLS, ("self2align.stages.tools", "Tools"))
    asked = next((word for word in sys.argv[1:] if not word.startswith("-")), "")
    for name in [asked] if asked in table else table:
        package, panel = table[name]
        command = getattr(import_module(f"{package}.{name}"), name)
        app.command(name, rich_help_panel=panel)(_clustered(command) if name in CLUSTERED else command)


def _use_scheduler(address: str | None) -> str | None:
    if address:
        from self2align.runtime.workers import scheduler

        os.environ[SCHEDULER] = address
        scheduler()  # refuses what is none, before any work
    return address


Scheduler = Annotated[
    str | None,
    typer.Option(
        envvar=SCHEDULER,
        metavar="ADDRESS",
        callback=_use_scheduler,
        help="Scheduler of a Dask cluster that runs the tasks (tcp://host:8786); default: this machine's cores.",
    ),
]


def _clustered(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the option that gives its tasks to a cluster, which the command itself need not know."""

    @wraps(command)
    def run(scheduler: str | None = None, **given: Any) -> None:
        command(**given)

    own = signature(command)
    option = Parameter("scheduler", Parameter.KEYWORD_ONLY, default=None, annotation=Scheduler)
    run.__dict__["__signature__"] = own.replace(parameters=[*own.parameters.values(), option])
    run.__annotations__ = {**command.__annotations__, "scheduler": Scheduler}
    return run


def _one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    print(f"self2align: error: {message_of(kind, error)}", file=sys.stderr)


def message_of(kind: type[BaseException], error: BaseException) -> str:
    """Return the line that tells an error: what was found and expected, and the way out."""
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or (not isinstance(error, (ValueError, OSError)) and _MEMORY.search(text)):
        return (
            f"memory: found too little ({text or kind.__name__}), expected more; close other programs, or lower "
            f"denoise --memory, SELF2ALIGN_MEMORY or SELF2ALIGN_WORKERS; {_GOES_ON}"
        )
    if isinstance(error, OSError):
        from self2align.runtime.disk import FULL

        # Of a move, the second name is where the result should have gone.
        name = error.filename2 or error.filename
        place = "" if name is None else f"{Path(os.fsdecode(name))}: "
        if error.errno in FULL:
            if error.errno == errno.EFBIG:
                advice = "raise the limit (ulimit -f), or choose a file system for files of that size"
                return f"{place}found a file that grows too large, expected room to write; {advice}: {_GOES_ON}"
            why = "no space left on the device" if error.errno == errno.ENOSPC else str(error.strerror).lower()
            return f"{place}found {why}, expected room to write; free some space: {_GOES_ON}"
        return f"{place}found {error.strerror or text}, expected to read or write it" if place else text
    # What a user gave is told as it is; anything else is ours or a library's, and says where to look.
    return text if isinstance(error, ValueError) else f"{kind.__name__}: {text} (self2align --debug ... shows where)"
