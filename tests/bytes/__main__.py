"""python -m tests.bytes: hostile bytes by the thousand; a table by group, and exit code 1 on a finding."""

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.bytes.groups import GROUPS, run_case
from tests.bytes.outcomes import FINDING, REFUSED, RIGHT
from tests.bytes.pool import run_cases


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the cases that the command line names."""
    parser = argparse.ArgumentParser(prog="python -m tests.bytes", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="cases of each group")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--groups", default=",".join(GROUPS), help="comma between names")
    parser.add_argument("--keep", type=Path, help="run the first case here alone, without bounds, and leave its files")
    told = parser.parse_args(arguments)
    groups = told.groups.split(",")
    if told.keep:
        for outcome in run_case(groups[0], told.seed, told.first, told.keep):
            print(outcome.way, outcome.kind, outcome.text)
        return 0
    findings = 0
    print(f"{'group':12} {'tried':>6} {'refused':>8} {'right':>6} {'findings':>9}", flush=True)
    for group in groups:
        cases = [(group, told.seed, number) for number in range(told.first, told.first + told.count)]
        counts: Counter[str] = Counter()
        seen: Counter[str] = Counter()
        for (_, _, number), outcomes in run_cases(cases):
            kinds = {outcome.kind for outcome in outcomes}
            counts[next((kind for kind in (FINDING, RIGHT, REFUSED) if kind in kinds), REFUSED)] += 1
            for outcome in outcomes:
                if outcome.kind == FINDING:
                    seen[f"{outcome.way}: {outcome.text}"] += 1
                    print(f"  {group} {told.seed} {number} {outcome.way}: {outcome.text}", file=sys.stderr, flush=True)
        print(f"{group:12} {len(cases):6} {counts[REFUSED]:8} {counts[RIGHT]:6} {counts[FINDING]:9}", flush=True)
        findings += counts[FINDING]
    return 1 if findings else 0


if __name__ == "__main__":
    print(f"cases in {tempfile.gettempdir()}", file=sys.stderr)
    sys.exit(main())
