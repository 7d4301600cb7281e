"""How long a training step takes on a quiet machine and beside one busy process, by how OpenMP's threads wait.

::

    python benchmarks/waiting.py

Each run is a process of its own: U-Net of 24 features, 4 crops of 64 px, forward, backward and Adam, as many threads as
cores. Runs of both kinds alternate; medians over all.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from typer import Option, Typer

from self2align.runtime.cores import cores

BUSY = "while True: pass"
KINDS = {"asleep (PASSIVE)": "PASSIVE", "in a busy loop (ACTIVE)": "ACTIVE", "libgomp's default": ""}
application = Typer(help=__doc__)


def steps(count: int) -> list[float]:
    """Return the seconds of training steps, after two that are not counted."""
    import torch

    from self2align.networks.unet import UNet

    torch.set_num_threads(cores())
    torch.manual_seed(0)
    network, images = UNet(3, width=24), torch.randn(4, 3, 64, 64)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    found = []
    for _ in range(count + 2):
        began = time.perf_counter()
        optimizer.zero_grad()
        loss = (network(images) - images).square().mean()
        torch.autograd.backward(loss)
        optimizer.step()
        found.append(time.perf_counter() - began)
    return found[2:]


@contextmanager
def busy(there: bool) -> Iterator[None]:
    """Keep one core busy, or none."""
    process = subprocess.Popen([sys.executable, "-c", BUSY]) if there else None
    try:
        yield
    finally:
        if process is not None:
            process.kill()
            process.wait()


def measured(policy: str, count: int) -> list[float]:
    """Return the seconds of steps in a process of its own."""
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": policy} if policy else {}
    command = [sys.executable, __file__, "--child", "--count", str(count)]
    printed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
    return [float(word) for word in printed.split()]


@application.command()
def main(
    count: Annotated[int, Option(help="Steps of each run.")] = 20,
    rounds: Annotated[int, Option(help="Runs of each kind.")] = 2,
    child: Annotated[bool, Option("--child", hidden=True)] = False,
) -> None:
    """Print the table."""
    if child:
        print(*steps(count))
        return
    found: dict[tuple[str, bool], list[float]] = {}
    for _ in range(rounds):
        for there in (False, True):
            for kind, policy in KINDS.items():
                with busy(there):
                    found.setdefault((kind, there), []).extend(measured(policy, count))
    median = {key: statistics.median(values) for key, values in found.items()}
    quiet = median[next(iter(KINDS)), False]
    print("| threads wait | quiet, ms | beside one busy process, ms | times |\n|---|--:|--:|--:|")
    for kind in KINDS:
        alone, beside = median[kind, False], median[kind, True]
        print(f"| {kind} | {1000 * alone:.0f} ({alone / quiet:.2f}) | {1000 * beside:.0f} | {beside / alone:.1f} |")


if __name__ == "__main__":
    application()
