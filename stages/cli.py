"""`self2align`: the stages, and the tools beside them."""

import os
import sys
from importlib import import_module
from pathlib import Path
from types import TracebackType

import click
import typer

# name -> "module:function"; these modules import nothing heavy before they are called.
COMMANDS = {
    "ingest": "stages.ingest:ingest",
    "benchmark_sets": "stages.benchmark_sets:benchmark_sets",
    "synthesize": "stages.synthesize:synthesize",
    "train_ian": "stages.train_ian:train_ian",
    "evaluate_alignment": "stages.evaluate_alignment:evaluate_alignment",
    "generate_pairs": "stages.generate_pairs:generate_pairs",
    "train_denoiser": "stages.train_denoiser:train_denoiser",
    "train_baselines": "stages.train_baselines:train_baselines",
    "benchmark": "stages.benchmark:benchmark",
    "report": "stages.report:report",
    "inspect": "stages.inspect:inspect",
    "profile": "stages.profile:profile",
}
TOOLS = ("inspect", "profile")

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
        from pipeline import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    pass


def main() -> None:
    """Run a command; an error is one line and a non-zero exit, a traceback only with --debug."""
    debug = "--debug" in sys.argv[1:] or bool(os.environ.get("SELF2ALIGN_DEBUG"))
    for name, place in COMMANDS.items():
        module, _, function = place.partition(":")
        panel = "Tools" if name in TOOLS else "Stages of the pipeline, run by `dvc repro`"
        app.command(name, rich_help_panel=panel)(getattr(import_module(module), function))
    if not debug:
        sys.excepthook = _one_line
    try:
        # The command itself: Typer's own call would put its traceback in place of our line.
        typer.main.get_command(app)(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        print("self2align: stopped; finished parts are kept", file=sys.stderr)
        sys.exit(130)


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
