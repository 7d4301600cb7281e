"""`self2align`: the stages, and the tools beside them."""

import os
import sys
from importlib import import_module
from pathlib import Path
from types import TracebackType

import typer

# Names of the modules here and in `tools`, which hold a function of the same name and import nothing heavy.
STAGES = (
    "ingest",
    "benchmark_sets",
    "synthesize",
    "train_ian",
    "evaluate_alignment",
    "generate_pairs",
    "train_denoiser",
    "train_ablation",
    "train_baselines",
    "evaluate_denoiser",
    "benchmark",
    "report",
)
TOOLS = ("bundle", "costs", "denoise", "doctor", "export", "init", "inspect", "profile", "sweep")

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
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    pass


def main(stages_only: bool = False) -> None:
    """Run a command; an error is one line and a non-zero exit, a traceback only with --debug."""
    # For processes that this one starts: Python would look for modules in the working folder first.
    os.environ["PYTHONSAFEPATH"] = "1"
    debug = "--debug" in sys.argv[1:] or bool(os.environ.get("SELF2ALIGN_DEBUG"))
    commands = [(name, "self2align.stages", "Stages of the pipeline, run by `dvc repro`") for name in STAGES]
    if not stages_only:
        commands += [(name, "self2align.stages.tools", "Tools") for name in TOOLS]
    for name, package, panel in commands:
        app.command(name, rich_help_panel=panel)(getattr(import_module(f"{package}.{name}"), name))
    if not debug:
        sys.excepthook = _one_line
    # The command itself: Typer's own call would put its traceback in place of our line.
    typer.main.get_command(app)(prog_name="self2align")


def _one_line(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    # What a user gave is told as it is; anything else is ours or a library's, and says where to look.
    text = " ".join(_text(error).split())
    if not isinstance(error, (ValueError, OSError)):
        text = f"{kind.__name__}: {text} (self2align --debug ... shows where)"
    print(f"self2align: error: {text}", file=sys.stderr)


def _text(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        # Of a move, the second name is where the result should have gone.
        name = error.filename2 or error.filename
        return f"{Path(os.fsdecode(name))}: found {error.strerror or error}, expected to read or write it"
    return str(error)
