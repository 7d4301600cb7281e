"""Killing commands: the same command then ends in the same bytes, and nothing half written is ever seen."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.faults.operations import Faults
from tests.faults.running import Conditions, Ended, run
from tests.faults.subjects import Subject, without_outputs
from tests.faults.trees import content, differences, half_written, leftovers

DONE = re.compile(r"found (it there already|a file, expected none|files in it)")
MOST_KILLS = 3  # of one piece of work, before it may end


@dataclass(frozen=True)
class Known:
    """How a command ends without faults.

    Attributes
    ----------
    subject
        The command.
    files
        What its outputs hold.
    before
        What the folder held.
    ended
        How long it took, and its number of file operations.
    """

    subject: Subject
    files: dict[str, bytes]
    ended: Ended


def uninterrupted(subject: Subject, template: Path, place: Path) -> Known:
    """Run a command without faults in a copy of a folder."""
    without_outputs(template, place, subject)
    faults = Faults(place, log=place.with_name("operations"))
    ended = run(subject.arguments, place, Conditions(faults))
    assert ended.code == 0, f"{subject.name}: {ended.text}"
    assert not leftovers(place), f"{subject.name} leaves {leftovers(place)}"
    return Known(subject, content(place, subject.outputs), ended)


def killed(known: Known, template: Path, place: Path, conditions: list[Conditions]) -> Iterator[str]:
    """Kill a command once or several times in a row, then let it end. Yield a line for each finding."""
    subject = known.subject
    without_outputs(template, place, subject)
    inputs = content(place)
    for condition in conditions:
        run(subject.arguments, place, condition)
        seen = content(place, subject.outputs)
        yield from half_written(known.files, seen, subject.growing)
        if subject.whole and seen and seen.keys() != known.files.keys():
            yield f"{len(seen)} of {len(known.files)} files are visible"
    ended = run(subject.arguments, place)
    found = content(place, subject.outputs)
    # A kill after the rename that publishes a result leaves it whole: the same command says that it is there.
    if ended.code and not (found == known.files and DONE.search(ended.text)):
        yield f"the same command ends with {ended.code}: {ended.text.strip()}"
    yield from differences(known.files, found)
    yield from (f"{name} is left" for name in leftovers(place))
    after = {name: data for name, data in content(place).items() if name not in found}
    yield from (f"input: {line}" for line in differences(inputs, after))


def at_operation(place: Path, number: int) -> Conditions:
    """Return conditions in which the process dies before an operation on files."""
    return Conditions(Faults(place, kill_at=number))


def drawn(known: Known, place: Path, seed: int) -> list[Conditions]:
    """Return one to three kills in a row: at operations, or after a time."""
    draw = np.random.default_rng([seed, *known.subject.name.encode()])
    found = []
    for _ in range(draw.integers(1, MOST_KILLS + 1)):
        if draw.random() < 0.6:
            found.append(at_operation(place, int(draw.integers(1, len(known.ended.operations) + 1))))
        else:
            found.append(Conditions(kill_after=float(draw.uniform(0.05, 1.0) * known.ended.seconds)))
    return found
