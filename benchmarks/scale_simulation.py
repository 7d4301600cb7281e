"""A simulation of tasks on many workers: stragglers, deaths, one client and one shared storage.

The client starts one task after another. A worker computes a task in a lognormal time, then writes its result through
the storage, which serves one write at a time at its whole bandwidth. A dead worker loses its task, which runs again
from its start, and another worker takes its place after a while.
"""

import heapq
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

_FREE, _COMPUTED, _STORED, _DIED = range(4)


@dataclass(frozen=True)
class Cluster:
    """What the tasks run on.

    Attributes
    ----------
    workers
        Number of processes.
    deaths
        Per worker and hour of work.
    restart
        s, until another worker takes the place of a dead one.
    client
        s of the client for each start of a task.
    bandwidth
        Of the storage, bytes/s.
    """

    workers: int
    deaths: float = 0.0
    restart: float = 60.0
    client: float = 0.0
    bandwidth: float = math.inf


@dataclass(frozen=True)
class Outcome:
    """What a run took: s; ``lost`` is the time of attempts that a death ended, ``useful`` the computing of the others.

    ``storage`` is the time for which the storage was busy.
    """

    wall: float
    useful: float
    lost: float
    deaths: int
    storage: float
    workers: int

    @property
    def efficiency(self) -> float:
        """Return the share of the workers' time that was spent on computing what was kept."""
        return self.useful / (self.workers * self.wall)

    @property
    def lost_share(self) -> float:
        """Return the share of the work that was lost."""
        return self.lost / (self.lost + self.useful)


def lognormal(count: int, mean: float, spread: float, generator: np.random.Generator) -> list[float]:
    """Return times of tasks, s, with that mean; ``spread`` is the deviation of their logarithm."""
    return list((mean * np.exp(spread * generator.standard_normal(count) - spread**2 / 2)).tolist())


def _waits(rate: float, generator: np.random.Generator) -> Iterator[float]:
    """Yield times until a worker dies, s; exponential, so that they can begin anew with each task."""
    while True:
        yield from (generator.exponential(3600 / rate, 4096) if rate else np.full(4096, math.inf)).tolist()


def simulate(times: list[float], size: float, cluster: Cluster, generator: np.random.Generator) -> Outcome:
    """Run tasks; return what that took.

    Parameters
    ----------
    times
        Of the tasks' computing, s. A task that runs again takes as long again.
    size
        Bytes that a task writes.
    cluster
        What they run on.
    generator
        Of the deaths.
    """
    waiting, idle = list(reversed(times)), 0
    events = [(0.0, number, _FREE, 0.0, 0.0, 0.0) for number in range(cluster.workers)]
    order, client, storage = cluster.workers, 0.0, 0.0
    wall, useful, lost, deaths, busy = 0.0, 0.0, 0.0, 0, 0.0
    waits = _waits(cluster.deaths, generator)
    while events:
        now, _, kind, task, began, dies = heapq.heappop(events)
        due = []
        if kind == _FREE and not waiting:
            idle += 1
        elif kind == _FREE:
            task = waiting.pop()
            client = max(client, now) + cluster.client
            dies = client + next(waits)
            due.append((min(client + task, dies), _COMPUTED if client + task < dies else _DIED, task, client, dies))
        elif kind == _COMPUTED:
            storage = max(storage, now) + size / cluster.bandwidth
            busy += size / cluster.bandwidth
            due.append((min(storage, dies), _STORED if storage <= dies else _DIED, task, began, dies))
        elif kind == _STORED:
            useful, wall = useful + task, max(wall, now)
            due.append((now, _FREE, 0.0, 0.0, 0.0))
        else:
            deaths, lost = deaths + 1, lost + now - began
            waiting.append(task)
            due.append((now + cluster.restart, _FREE, 0.0, 0.0, 0.0))
            if idle:
                idle -= 1
                due.append((now, _FREE, 0.0, 0.0, 0.0))
        for when, what, *rest in due:
            heapq.heappush(events, (when, order, what, rest[0], rest[1], rest[2]))
            order += 1
    return Outcome(wall, useful, lost, deaths, busy, cluster.workers)
