"""Training on several processes that torchrun started: how they meet, agree, wait for each other and end."""

import hashlib
import json
import os
import re
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, distributed, nn

from self2align.runtime.devices import device
from self2align.runtime.provenance import code_digest
from self2align.runtime.scratch import workspace
from self2align.training.launched import is_first, processes, rank

# Others wait while the first one reads a store or solves the last layer. A process that ends is noticed at once: its
# connections close. This limit is for one that hangs.
PATIENCE = timedelta(days=1)
GOES_ON = "expected all of them to the end; the same command goes on from the last checkpoint"


def own_device() -> torch.device:
    """Return the device of this process: `self2align.runtime.devices.device`, and with several the GPU of its number.

    Raises
    ------
    ValueError
        If there are fewer GPUs than processes on this machine.
    """
    if processes() == 1:
        return device()
    number = int(os.environ["LOCAL_RANK"])
    if os.environ.get("SELF2ALIGN_DEVICE") != "cpu" and torch.cuda.is_available():
        found = torch.cuda.device_count()
        if number >= found:
            raise ValueError(
                f"torchrun: found {found} GPUs for {os.environ['LOCAL_WORLD_SIZE']} processes of this machine, "
                f"expected one each: --nproc-per-node {found}, or SELF2ALIGN_DEVICE=cpu"
            )
        torch.cuda.set_device(number)
    where = device()
    return torch.device("cuda", number) if where.type == "cuda" else where


@contextmanager
def joined() -> Iterator[None]:
    """Join the processes that torchrun started; nothing where this is the only one.

    Raises
    ------
    ConnectionError
        From whatever is done meanwhile together, when another process has ended.
    """
    if processes() == 1:
        yield
        return
    backend = "cpu:gloo,cuda:nccl" if own_device().type == "cuda" else "gloo"
    before = signal.signal(signal.SIGTERM, _told_to_end)
    try:
        with _noticed():
            distributed.init_process_group(backend, timeout=PATIENCE)
        yield
        wait()
    except BaseException:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # this process ends now, and tells why
        raise
    signal.signal(signal.SIGTERM, before)
    distributed.destroy_process_group()


def _told_to_end(number: int, frame: FrameType | None) -> None:
    """Tell what torchrun does not: it ends all processes as soon as one has ended with an error."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise ConnectionError(_line("was told to end by torchrun, as it does when another one has ended"))


@contextmanager
def _noticed() -> Iterator[None]:
    """Give what a collective raises when another process has ended one line."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        # Without the place in the library's source, and its advice.
        why = re.sub(r"^\[[^]]*\] ", "", str(error).strip()).partition("\n")[0].partition(". ")[0]
        raise ConnectionError(_line(f"lost another one ({why})")) from error


def _line(what: str) -> str:
    return f"training on {processes()} processes: number {rank()} {what}, {GOES_ON}"


def wait() -> None:
    """Wait until all processes are here."""
    if processes() > 1:
        add(torch.zeros(1))


def add(values: Tensor) -> None:
    """Add the values of all processes, in place; each then holds the same bits."""
    with _noticed():
        distributed.all_reduce(values)


def add_gradients(network: nn.Module) -> None:
    """Add the gradients of all processes; nothing where this is the only one."""
    if processes() == 1:
        return
    gradients = [one.grad for one in network.parameters() if one.grad is not None]
    flat = torch.cat([one.flatten() for one in gradients])
    add(flat)
    at = 0
    for one in gradients:
        one.copy_(flat[at : at + one.numel()].view_as(one))
        at += one.numel()


def gathered(values: Tensor) -> list[Tensor]:
    """Return the values of each process, of one shape, by their numbers."""
    values = values.contiguous()
    parts = [torch.empty_like(values) for _ in range(processes())]
    with _noticed():
        distributed.all_gather(parts, values)
    return parts


def agree(what: str, value: Any) -> None:
    """Refuse to go on with another value in another process.

    Parameters
    ----------
    what
        For the message.
    value
        A JSON value.

    Raises
    ------
    ValueError
        In all processes, if they differ.
    """
    if processes() == 1:
        return
    found: list[Any] = [None] * processes()
    with _noticed():
        distributed.all_gather_object(found, value)
    for number, other in enumerate(found):
        if other != found[0]:
            raise ValueError(
                f"{what}: found {found[0]} in process 0 and {other} in process {number}, expected the same in all: "
                "one folder that all machines see, and the same code and environment variables"
            )


@contextmanager
def shared_workspace(name: str, inputs: Mapping[str, Any], *code: Any) -> Iterator[Path]:
    """Yield the folder of one piece of work of all processes; see `self2align.runtime.scratch.workspace`.

    The first process makes it, holds its lock and removes it when all are done; the others wait for it.

    Raises
    ------
    ValueError
        If processes have other inputs or code, or do not see the folder.
    """
    if processes() == 1:
        with workspace(name, inputs, *code) as folder:
            yield folder
        return
    with joined():
        text = json.dumps([dict(inputs), code_digest(*code)], sort_keys=True)
        agree("digest of inputs, settings and code", hashlib.sha256(text.encode()).hexdigest()[:16])
        agree("SELF2ALIGN_MEMORY", os.environ.get("SELF2ALIGN_MEMORY"))
        if is_first():
            with workspace(name, inputs, *code) as folder:
                yield _seen(folder)
                wait()
        else:
            yield _seen(None)
            wait()


def _seen(folder: Path | None) -> Path:
    """Return the folder of the first process in all of them."""
    told: list[Any] = [None if folder is None else str(folder)]
    with _noticed():
        distributed.broadcast_object_list(told, src=0)
    found = Path(told[0])
    agree(f"{found}, the folder of unfinished work", "there" if found.is_dir() else "missing")
    return found
