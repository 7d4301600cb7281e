"""The best settings of a filter on a lattice, by coordinate ascent."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

Settings = dict[str, Any]
Lattice = Mapping[str, Sequence[Any]]


def climb(lattice: Lattice, first: Settings, score: Callable[[Settings], float]) -> Settings:
    """Return the settings from which no step of one of them to a neighbouring value scores higher.

    Settings are not tried twice.

    Parameters
    ----------
    lattice
        Setting -> its values, numbers in order.
    first
        Where to begin: the nearest values of the lattice are taken, of words that are not in it the first.
    score
        Higher is better.
    """
    known: dict[tuple[int, ...], float] = {}
    names = list(lattice)

    def settings_at(place: tuple[int, ...]) -> Settings:
        return {name: lattice[name][index] for name, index in zip(names, place, strict=True)}

    def scored(place: tuple[int, ...]) -> float:
        if place not in known:
            known[place] = score(settings_at(place))
        return known[place]

    best = tuple(_nearest(lattice[name], first[name]) for name in names)
    moved = True
    while moved:
        moved = False
        for axis, name in enumerate(names):
            for step in (1, -1):
                while 0 <= best[axis] + step < len(lattice[name]):
                    tried = (*best[:axis], best[axis] + step, *best[axis + 1 :])
                    if scored(tried) <= scored(best):
                        break
                    best, moved = tried, True
    return settings_at(best)


def _nearest(values: Sequence[Any], wanted: Any) -> int:
    if isinstance(wanted, str):
        return values.index(wanted) if wanted in values else 0
    return int(np.argmin([abs(value - wanted) for value in values]))
