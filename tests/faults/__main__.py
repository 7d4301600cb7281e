"""The long search for faults: ``python -m tests.faults --seeds 200``. Ends with 1 if anything was found."""

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.faults.kills import Known, at_operation, drawn, killed, uninterrupted
from tests.faults.repro import make_pipeline, repro_killed, whole
from tests.faults.subjects import TEMPLATES, Subject
from tests.faults.systems import SYSTEMS, mounted, withstands, withstands_full


def main() -> int:
    """Meet every command with faults, print a table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="kills in all, shared out over the commands")
    parser.add_argument("--first", type=int, default=0, help="first seed")
    parser.add_argument("--every", action="store_true", help="kill at every single file operation as well")
    parser.add_argument("--systems", type=int, default=1, help="seeds of each other fault for each command")
    parser.add_argument("--only", default="", help="part of the name of a command")
    chosen = parser.parse_args()
    subjects = [(kind, one) for kind, (_, many) in TEMPLATES.items() for one in many if chosen.only in one.name]
    print(f"{'command':33} {'fault':22} {'tried':>5} {'found':>5}", flush=True)
    tried = found = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as name, mounted(Path(name) / "disk") as own:
        place = Path(name)
        for number, (kind, subject) in enumerate(subjects):
            if not (place / kind).exists():
                TEMPLATES[kind][0](place / kind)
            known = uninterrupted(subject, place / kind, place / "run")
            seeds = range(chosen.first + number, chosen.first + chosen.seeds, len(subjects))
            tries = [("kill -9", _kills(known, place, kind, seeds, chosen.every))]
            others = range(chosen.first, chosen.first + chosen.systems)
            tries += [(fault, _meeting(known, place, kind, fault, others)) for fault in SYSTEMS]
            tries += [("a full disk", _filling(subject, place, kind, others))] * own
            for fault, results in tries:
                lines = list(results)
                wrong = [f"  {title}: {line}" for title, several in lines for line in several]
                print("\n".join([f"{subject.name:33} {fault:22} {len(lines):5} {len(wrong):5}", *wrong]), flush=True)
                tried, found = tried + len(lines), found + len(wrong)
        if chosen.only in "dvc repro":
            make_pipeline(place / "pipeline")
            all_of_it = whole(place / "pipeline", place / "run")
            seeds = range(chosen.first, chosen.first + chosen.seeds, 20)
            lines = [
                (f"seed {seed}", list(repro_killed(all_of_it, place / "pipeline", place / "run", seed)))
                for seed in seeds
            ]
            wrong = [f"  {title}: {line}" for title, several in lines for line in several]
            print("\n".join([f"{'dvc repro':33} {'kill -9':22} {len(lines):5} {len(wrong):5}", *wrong]), flush=True)
            tried, found = tried + len(lines), found + len(wrong)
    print(f"{tried} tried, {found} found")
    return int(found > 0)


Results = Iterator[tuple[str, list[str]]]


def _kills(known: Known, place: Path, kind: str, seeds: range, every: bool) -> Results:
    here = place / "run"
    for seed in seeds:
        yield f"seed {seed}", list(killed(known, place / kind, here, drawn(known, here, seed)))
    for number in range(1, len(known.ended.operations) + 1 if every else 1):
        yield f"operation {number}", list(killed(known, place / kind, here, [at_operation(here, number)]))


def _meeting(known: Known, place: Path, kind: str, fault: str, seeds: range) -> Results:
    for seed in seeds:
        conditions = SYSTEMS[fault](place / "run", _draw(known.subject, seed))
        yield f"seed {seed}", list(withstands(known, place / kind, place / "run", conditions))


def _filling(subject: Subject, place: Path, kind: str, seeds: range) -> Results:
    disk = place / "disk"
    known = uninterrupted(subject, place / kind, disk / "run")  # parameters hold the path of the footage
    for seed in seeds:
        yield f"seed {seed}", list(withstands_full(known, place / kind, disk, _draw(subject, seed)))


def _draw(subject: Subject, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, *subject.name.encode()])


if __name__ == "__main__":
    sys.exit(main())
