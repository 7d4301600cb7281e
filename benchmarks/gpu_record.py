"""The rows that `benchmarks/gpu.py` measures: kept from call to call, judged by their limits, and shown as tables."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from gpu_speed import Row
from gpu_training import Clock

from self2align.runtime.scratch import write_json
from self2align.runtime.tables import read_json


@dataclass
class Record:
    """The rows of all calls, in a file that is rewritten after each.

    Attributes
    ----------
    path
        Of the file.
    made
        What the rows are true of: device, torch, code. Rows of others are dropped.
    rows
        By part and name.
    """

    path: Path
    made: dict[str, Any]
    rows: dict[str, dict[str, Row]]

    @classmethod
    def open(cls, path: Path, made: dict[str, Any]) -> "Record":
        """Return the rows that an earlier call left, if they are true still."""
        found = read_json(path) if path.is_file() else {}
        kept = found.get("made") == made
        if found and not kept:
            print(f"{path}: found rows of another device, torch or code: everything is measured again", flush=True)
        return cls(path, made, found["rows"] if kept else {})

    def keep(self, part: str, name: str, row: Row) -> Row:
        """Keep a row, and show it."""
        self.rows.setdefault(part, {})[name] = row
        write_json(self.path, {"made": self.made, "rows": self.rows})
        print(f"{part}: {name}: {shown(row)}", flush=True)
        return row

    def measure(self, part: str, name: str, clock: Clock, find: Callable[[], Row]) -> Row | None:
        """Return a row: of an earlier call, or measured; None if there is no time left for it."""
        if name in self.rows.get(part, {}):
            return self.rows[part][name]
        if clock.left() <= 0:
            return None
        try:
            return self.keep(part, name, find())
        except torch.OutOfMemoryError as error:
            text = " ".join(str(error).split())[:160]
            return self.keep(part, name, {"skipped": f"too little memory ({text}): --memory or a smaller batch"})


def shown(row: Mapping[str, Any]) -> str:
    """Return a row as one line."""
    return ", ".join(f"{key} {text_of(value)}" for key, value in row.items())


def text_of(value: Any) -> str:
    """Return a value as text, numbers to four digits."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def faults(record: Record) -> list[str]:
    """Return a line for each limit that was passed, and for each test that failed."""
    lines = []
    for name, row in record.rows.get("compare", {}).items():
        if "failed" in row:
            lines.append(f"{name}: {row['failed']}")
        elif "skipped" not in row and not row["difference"] <= row["limit"]:
            lines.append(f"{name}: found a difference of {row['difference']:.2g}, expected at most {row['limit']:g}")
    lines += [f"tests: {row['outcome']}" for row in record.rows.get("tests", {}).values() if row.get("code")]
    return lines


def report(record: Record) -> str:
    """Return all rows as tables in Markdown."""
    made = record.made
    lines = ["# The GPU path", "", f"{made['device']}, torch {made['torch']}{', a dry run' if made['dry'] else ''}"]
    for part, rows in record.rows.items():
        # The skipped and the measured have other figures.
        keys = list(dict.fromkeys(key for row in rows.values() for key in row))
        lines += ["", f"## {part}", "", f"| | {' | '.join(keys)} |", f"|---|{'--:|' * len(keys)}"]
        for name, row in rows.items():
            cells = [text_of(row.get(key, "")) for key in keys]
            lines.append(f"| {name} | {' | '.join(cells)} |")
    wrong = faults(record)
    lines += ["", "## Limits passed", "", *(f"- {line}" for line in wrong or ["none"])]
    return "\n".join(lines) + "\n"
