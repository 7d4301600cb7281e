"""Commands in processes of their own, which can be killed at a chosen moment.

A server process imports the package once, and each command is a fork of it: a run takes as long as its work.
"""

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from tests.faults.operations import Faults

LIMIT = 300.0  # seconds; a command that takes longer hangs
# What commands import when they run.
_PRELOADED = [
    "torch.optim",
    "skimage.metrics",
    "scipy.ndimage",
    "zarr",
    "self2align.stages.cli",
    "self2align.stages.screen",
    "tests.faults.preloaded",
]


@dataclass(frozen=True)
class Ended:
    """How a command ended.

    Attributes
    ----------
    code
        Its exit code; negative for a signal.
    text
        What it printed, on both streams.
    seconds
        How long it took.
    operations
        File operations that were listed; none if it was killed or none were to be.
    """

    code: int
    text: str
    seconds: float
    operations: tuple[str, ...] = ()

    @property
    def errors(self) -> list[str]:
        """Return the lines that report an error."""
        return [line for line in self.text.splitlines() if "error: " in line]


@dataclass(frozen=True)
class Conditions:
    """What a command meets.

    Attributes
    ----------
    faults
        Of the file system; None for none.
    kill_after
        Seconds after which it is killed; None for never.
    environment
        Variables beside those of this process.
    limits
        Resource -> soft limit: ``{resource.RLIMIT_FSIZE: 4096}``.
    patch
        A function at module level that is called first, in the process of the command.
    """

    faults: Faults | None = None
    kill_after: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Mapping[int, int] = field(default_factory=dict)
    patch: Callable[[], None] | None = None


PLAIN = Conditions()


def run(arguments: Sequence[str], folder: Path, conditions: Conditions = PLAIN) -> Ended:
    """Run ``self2align ARGUMENTS`` in a folder.

    Parameters
    ----------
    arguments
        The command and its arguments.
    folder
        Where it runs. What it prints goes to a file beside the folder.
    conditions
        What it meets.
    """
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    server = get_context("forkserver")
    server.set_forkserver_preload(_PRELOADED)
    log = folder.with_name(f"{folder.name}.log")
    began = time.monotonic()
    process = server.Process(target=_command, args=(list(arguments), folder, log, conditions))
    process.start()
    process.join(LIMIT if conditions.kill_after is None else conditions.kill_after)
    if process.is_alive():
        assert process.pid is not None
        _kill_group(process.pid)
        process.join()
        assert conditions.kill_after is not None, f"{' '.join(arguments)}: still running after {LIMIT:g} s"
    seconds = time.monotonic() - began
    code = process.exitcode
    assert code is not None
    process.close()
    counted = conditions.faults.log if conditions.faults else None
    operations = counted.read_text(encoding="utf-8").splitlines() if counted is not None and counted.is_file() else []
    return Ended(
        code, log.read_text(encoding="utf-8", errors="replace") if log.is_file() else "", seconds, tuple(operations)
    )


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # it leads no group yet, or has just ended
        os.kill(pid, signal.SIGKILL)


def _command(arguments: list[str], folder: Path, log: Path, conditions: Conditions) -> None:
    """Be the command: never returns."""
    os.setsid()
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    os.chdir(folder)
    os.environ |= {"SELF2ALIGN_WORKERS": "1", "SELF2ALIGN_DEVICE": "cpu", **conditions.environment}
    encoding = os.environ.get("PYTHONIOENCODING", "utf-8")
    sys.stdout = open(1, "w", encoding=encoding, buffering=1, closefd=False)
    sys.stderr = open(2, "w", encoding=encoding, buffering=1, closefd=False)
    sys.argv = ["self2align", *arguments]
    if conditions.patch is not None:
        conditions.patch()
    for kind, limit in conditions.limits.items():
        resource.setrlimit(kind, (limit, resource.getrlimit(kind)[1]))
    if conditions.faults is not None:
        conditions.faults.arm()
    code = _main()
    sys.stdout.flush()
    sys.stderr.flush()
    if conditions.faults is not None:
        conditions.faults.close()
    os._exit(code)


def _main() -> int:
    from self2align.stages.cli import main

    try:
        main()
    except SystemExit as error:
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - what the interpreter does with an error that nobody catches
        sys.excepthook(*sys.exc_info())
        return 1
    return 0
