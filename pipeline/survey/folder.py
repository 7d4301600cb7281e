"""Making a working folder: the repository's dvc.yaml and ignore files, links to the code, and parameters."""

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from ruamel.yaml.comments import CommentedMap

from self2align.params.loading import load
from self2align.params.schema import Params
from self2align.runtime.disk import move, partial_of, remove_abandoned
from self2align.runtime.locks import has_locks
from self2align.runtime.shipped import code_folders, shipped
from self2align.survey.place import FINISHED, UNFINISHED, put_items
from self2align.survey.profile import written

STARTS = ("README.md", "davis_motion.safetensors", "davis_camera.safetensors")
TEMPLATE = ("dvc.yaml", ".dvcignore", ".gitignore", *(f"starts/{name}" for name in STARTS))
# Other stages depend on these folders, which must exist even without items.
EMPTY = ("benchmark", "benchmark_sets", "benchmark_video", "benchmark_videos", "train_ablation", "train_baselines")
COPIED = (
    "there are no symbolic links here: pipeline and stages are copies, which an update of self2align does not change; "
    "make a new folder then"
)
CONFIG = """[core]
    analytics = false
{more}[cache]
    type = "reflink,copy"
"""


def make_folder(folder: Path, content: CommentedMap, describe: Callable[[Params], Sequence[str]]) -> Sequence[str]:
    """Make a working folder, completely or not at all.

    Parameters
    ----------
    folder
        A new or empty folder.
    content
        Its parameters.
    describe
        Called with the checked parameters. Returns the comment above them, line by line.

    Returns
    -------
    sequence of str
        The lines of that comment, and one if the code had to be copied.

    Raises
    ------
    ValueError
        If the parameters are wrong.
    """
    place = folder.resolve()
    # In an existing folder, which may be the current one, the items are moved up one by one.
    made = place / UNFINISHED if place.is_dir() else partial_of(place)
    remove_abandoned(place)
    shutil.rmtree(made, ignore_errors=True)
    try:
        for name in TEMPLATE:
            (made / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(shipped(name), made / name)
        for name, code in code_folders().items():
            linked = _link(made / name, code)
        for name in EMPTY:
            (made / "data" / name).mkdir(parents=True)
            (made / "data" / name / ".gitkeep").touch()
        (made / ".dvc").mkdir()
        (made / ".dvc" / "config").write_text(_config(place, made))
        params = made / "params.yaml"
        params.write_text(written(content, ""), encoding="utf-8")
        lines = describe(load(params))
        params.write_text(written(content, "\n".join(lines)), encoding="utf-8")
        _put(made, place)
        if not linked:
            lines = [*lines, COPIED]
    except BaseException:
        shutil.rmtree(made, ignore_errors=True)
        raise
    return lines


def _config(place: Path, made: Path) -> str:
    more = "" if _in_git(place) else "    no_scm = true\n"
    # DVC's other kind of lock needs hard links instead.
    return CONFIG.format(more=more if has_locks(made) else f"{more}    hardlink_lock = true\n")


def _in_git(place: Path) -> bool:
    return any((folder / ".git").exists() for folder in (place, *place.parents))


def _link(place: Path, code: Path) -> bool:
    """Link to a folder of code; where the file system has no symbolic links, copy it. Return whether it is a link."""
    try:
        place.symlink_to(code)
    except OSError:
        shutil.copytree(code, place, ignore=shutil.ignore_patterns("__pycache__"))
        return False
    return True


def _put(made: Path, place: Path) -> None:
    """Move the folder to its place."""
    if made.parent != place:
        move(made, place)
        return
    move(made, place / FINISHED)
    put_items(place)
