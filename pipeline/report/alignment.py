"""Writing the measures of aligners."""

from pathlib import Path

from self2align.evaluation.alignment import MEASURES, AlignmentResults
from self2align.report.measures import alignment_png
from self2align.runtime.scratch import write_atomically, write_json
from self2align.runtime.tables import write_rows

HEADER = ("aligner", "scene", *MEASURES)


def write_alignment(out: Path, results: AlignmentResults) -> Path | None:
    """Write figures by scene, means, times and a picture; return the picture, or None if nothing was measured.

    Times, and the picture that shows them, are no outputs of DVC: the same inputs give the same outputs.
    """
    write_rows(out / "scenes.csv", HEADER, results.rows)
    if results.skipped:
        write_json(out / "metrics.json", {"skipped": results.skipped})
        return None
    write_json(out / "metrics.json", results.means)
    write_json(out / "timing.json", {name: round(value, 2) for name, value in results.milliseconds.items()})
    texts = [dict(zip(HEADER, row, strict=True)) for row in results.rows]
    picture = out / "measures.png"
    write_atomically(picture, alignment_png(texts, list(results.means), results.milliseconds))
    return picture
