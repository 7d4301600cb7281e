"""`self2align`: the stages, and the tools beside them."""

import os
import sys
from importlib import import_module
from pathlib import Path
from types import TracebackType

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
    "train_ablation": "stages.train_ablation:train_ablation",
    "train_baselines": "stages.train_baselines:train_baselines",
    "evaluate_denoiser": "stages.evaluate_denoiser:evaluate_denoiser",
    "benchmark": "stages.benchmark:benchmark",
    "report": "stages.report:report",
    "bundle": "stages.bundle:bundle",
    "costs": "stages.costs:costs",
    "denoise": "stages.denoise:denoise",
    "doctor": "stages.doctor:doctor",
    "export": "stages.export:export",
    "init": "stages.init:init",
    "inspect": "stages.inspect:inspect",
    "profile": "stages.profile:profile",
    "sweep": "stages.sweep:sweep",
}
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
        from pipeline import __version__

        print(__version__)
        raise typer.Exit


@app.callback()
def _options(
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    pass


def _own_code() -> None:
    """Run the code of the folder that this is called in: DVC hashes that code, so that is what must run."""
    # A working folder holds links to the code, so places are compared where they lead.
    mine = Path("stages", "cli.py")
    if Path("pipeline", "params.py").is_file() and mine.resolve() != Path(__file__).resolve():
        os.execv(sys.executable, [sys.executable, "-m", "stages.cli", *sys.argv[1:]])  # -m looks here first


def main() -> None:
    """Run a command; an error is one line and a non-zero exit, a traceback only with --debug."""
    _own_code()
    debug = "--debug" in sys.argv[1:] or bool(os.environ.get("SELF2ALIGN_DEBUG"))
    for name, place in COMMANDS.items():
        module, _, function = place.partition(":")
        panel = "Tools" if name in TOOLS else "Stages of the pipeline, run by `dvc repro`"
        app.command(name, rich_help_panel=panel)(getattr(import_module(module), function))
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


if __name__ == "__main__":
    main()
