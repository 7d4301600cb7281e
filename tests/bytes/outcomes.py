"""What comes of hostile bytes: one line, the right result, or a finding."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REFUSED, RIGHT, FINDING = "refused", "right", "finding"


@dataclass(frozen=True)
class Outcome:
    """What came of one way through the project.

    Attributes
    ----------
    way
        Which: denoise, train, survey.
    kind
        "refused" (one line), "right" or "finding".
    text
        The line, or what is wrong.
    """

    way: str
    kind: str
    text: str = ""


Judge = Callable[[Any], str]  # result -> what is wrong; empty for right


def attempt(way: str, work: Callable[[], Any], judge: Judge, told: str = "", output: Path | None = None) -> Outcome:
    """Run one way and judge it.

    Parameters
    ----------
    way
        Its name.
    work
        What is run.
    judge
        Is given its result.
    told
        What a refusal has to name: the file.
    output
        What must not be there after a refusal.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            made = work()
    except (ValueError, OSError) as error:
        line = " ".join(str(error).split())
        if output is not None and output.exists():
            return Outcome(way, FINDING, f"output beside a refusal: {line}")
        if not line or not ("found" in line or (isinstance(error, OSError) and error.filename)):
            return Outcome(way, FINDING, f"a line that says too little: {type(error).__name__}: {line}")
        if told and told not in line:
            return Outcome(way, FINDING, f"a line without the file: {line}")
        return Outcome(way, REFUSED, line)
    except Exception as error:  # noqa: BLE001  anything else is what is looked for
        return Outcome(
            way, FINDING, f"traceback: {type(error).__name__}: {' '.join(str(error).split())[:200]} {_where(error)}"
        )
    wrong = judge(made)
    return Outcome(way, FINDING, wrong) if wrong else Outcome(way, RIGHT)


def _where(error: BaseException) -> str:
    """Return the last line of the project's own code that an error passed."""
    found, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "pipeline" in file or "self2align" in file:
            found = f"({Path(file).name}:{trace.tb_lineno})"
        trace = trace.tb_next
    return found
