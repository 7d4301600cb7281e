"""Faults of a file system, played inside a process: what it does to files is counted, refused, or its last act.

Python announces every operation on files to audit hooks before it happens, and a hook that raises prevents it. Writing
into an open file is not announced; `tests.faults.disk` plays full disks.
"""

import os
import signal
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_EVENTS = ("os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.truncate", "fcntl.flock")
GONE = "gone"  # name beside the folder, of what has vanished from it


@dataclass(frozen=True)
class Refusal:
    """Operations that fail.

    Attributes
    ----------
    event
        Name of the audit event: "os.rename", "fcntl.flock"; "open" means for writing.
    errno
        Number of the error.
    times
        How many of them fail; None for all.
    name
        Part of the path (of a rename, of either); empty for any.
    """

    event: str
    errno: int
    times: int | None = None
    name: str = ""


@dataclass
class Faults:
    """What happens to the operations below a folder. Picklable.

    Attributes
    ----------
    within
        The folder; operations on other files go on as ever. Locks and links count everywhere.
    kill_at
        Number of the operation at which the process group is killed, from 1; None for none. A file to be written is
        opened, and empty; everything else has not happened yet.
    refusals
        Operations that fail.
    vanishing
        Name of a folder in it, and number of the operation before which it is moved away; None for none.
    log
        File that gets the operations, a line each, when the process ends; None for none.
    """

    within: Path
    kill_at: int | None = None
    refusals: tuple[Refusal, ...] = ()
    vanishing: tuple[str, int] | None = None
    log: Path | None = None
    done: list[str] = field(default_factory=list)
    failed: dict[int, int] = field(default_factory=dict)

    def arm(self) -> None:
        """Install the faults in this process, for good."""
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not isinstance(flags, int) or not flags & _WRITING:
                return
            names = [path]
        elif event in _EVENTS:
            names = [part for part in arguments[:2] if isinstance(part, (str, bytes, os.PathLike))]
        else:
            return
        inside = [text for text in map(_absolute, names) if text.startswith(f"{self.within}{os.sep}")]
        if not inside and event != "fcntl.flock":
            return
        self.done.append(" ".join([event, *(text.removeprefix(f"{self.within}{os.sep}") for text in inside)]))
        if len(self.done) == self.kill_at:
            if event == "open":  # opened, but not yet written to; this calls the hook again
                os.open(arguments[0], arguments[2] & ~os.O_EXCL, 0o666)
            os.killpg(0, signal.SIGKILL)
        if self.vanishing is not None and len(self.done) == self.vanishing[1]:
            (self.within / self.vanishing[0]).rename(self.within.with_name(GONE))
        for number, refusal in enumerate(self.refusals):
            past = self.failed.get(number, 0)
            wanted = refusal.event == event and (refusal.times is None or past < refusal.times)
            if wanted and (not refusal.name or any(refusal.name in text for text in inside)):
                self.failed[number] = past + 1
                first, second = (*names, None, None)[:2]
                raise OSError(refusal.errno, os.strerror(refusal.errno), first, None, second)

    def close(self) -> None:
        """Write the list of operations."""
        if self.log is not None:
            self.log.write_text("\n".join(self.done), encoding="utf-8")


def _absolute(name: Any) -> str:
    return os.path.abspath(os.fsdecode(name)) if not isinstance(name, int) else ""  # noqa: PTH100


def refusing(event: str, errno: int, *, times: int | None = None, names: Iterable[str] = ("",)) -> tuple[Refusal, ...]:
    """Return refusals of one kind of operation, one for each part of a name."""
    return tuple(Refusal(event, errno, times, name) for name in names)
