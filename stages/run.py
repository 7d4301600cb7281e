"""Run one stage with the code of the folder that this file lies in: ``python -P stages/run.py STAGE ...``.

`dvc.yaml` calls it. DVC hashes the code of the folder that it runs in (a clone, the copy that ``dvc exp run --queue``
makes, a folder that ``self2align init`` made), so that code must run, and not another copy that is installed. The
command `self2align` never does this: it runs the installed code.

``-P`` keeps the working folder out of the import path, so that no file in it can stand in for a module. Worker
processes import this file again, and with it the same package. ``torchrun stages/run.py STAGE ...`` runs it without
``-P``; this folder, with which the import path then begins, is taken off it.
"""

import os
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

STAGES = Path(__file__).resolve().parent
PACKAGE = STAGES.parent if STAGES.parent.name == "self2align" else STAGES.parent / "pipeline"


class _ThisFolder(MetaPathFinder):
    """Finds the package `self2align` in the folders beside this file."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        folder = {"self2align": PACKAGE, "self2align.stages": STAGES}.get(fullname)
        if folder is None:
            return None
        return spec_from_file_location(fullname, folder / "__init__.py", submodule_search_locations=[str(folder)])


sys.meta_path.insert(0, _ThisFolder())

if __name__ == "__main__":
    if not sys.flags.safe_path and "TORCHELASTIC_RUN_ID" in os.environ:
        sys.path.remove(str(STAGES))
    elif not sys.flags.safe_path:
        sys.exit(f"self2align: error: {__file__}: found python without -P, expected: python -P {__file__} STAGE ...")
    if find_spec("typer") is None:
        sys.exit(
            f"self2align: error: {sys.executable}: found no package typer, expected the project's environment "
            "(activate it: . .venv/bin/activate)"
        )
    from self2align.stages.cli import main

    main(stages_only=True)
