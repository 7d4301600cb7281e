"""Names of all kinds, and links: the result has the same name, or one line says why not."""

import os
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from self2align.sources.ingest import open_source
from self2align.sources.source import Selection
from tests.bytes import seeds
from tests.bytes.pictures import network

NAMES = [
    *(
        "a b",
        'it\'s "so"',
        "12:30 night",
        "\u03a9",
        "new\nline",
        "-o",
        "%03d",
        "@list",
        "x" * 247,
        "a*[b]?",
        "\udcff",
        "a...",
    ),
]
FILES = {".png": seeds.pngs()["1x1.png"], ".tif": seeds.tiffs()["page.tif"], ".mkv": seeds.mkvs()["ffv1.mkv"]}


@pytest.mark.parametrize(
    ("suffix", "name"),
    [(".png", name) for name in NAMES] + [(".tif", "12:30 night")] + [(".mkv", name) for name in NAMES[1:9]],
)
def test_a_name_is_kept(tmp_path: Path, suffix: str, name: str) -> None:
    source = tmp_path / "in" / f"{name}{suffix}"
    source.parent.mkdir()
    source.write_bytes(FILES[suffix])
    run = network(3)
    run(source, tmp_path / "one" / source.name, sigma=3.0)
    run(source.parent, tmp_path / "many", sigma=3.0)
    one, many = (tmp_path / folder / source.name for folder in ("one", "many"))
    assert one.read_bytes() == many.read_bytes()
    kind = "video" if suffix == ".mkv" else "images"
    found = open_source(kind, source.parent, Selection())
    (scene,) = [scene for unit in found.units() for scene in found.read(unit)]
    assert scene.name.removesuffix("/000") == name


def test_links_that_loop_or_lead_to_the_output_change_nothing(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "a.png").write_bytes(FILES[".png"])
    (folder / "loop").symlink_to(folder)
    (folder / "self.png").symlink_to(folder / "self.png")
    (folder / "gone.png").symlink_to(tmp_path / "gone.png")
    (folder / "result").symlink_to(out)
    with pytest.raises((ValueError, OSError), match=r"gone\.png|self\.png"):
        network(3)(folder, out, sigma=3.0)
    for name in ("self.png", "gone.png"):
        (folder / name).unlink()
    network(3)(folder, out, sigma=3.0)
    assert [file.relative_to(out).as_posix() for file in out.rglob("*")] == ["a.png"]
    (tmp_path / "link.png").symlink_to(folder / "a.png")
    with pytest.raises(ValueError, match="found the input itself"):
        network(3)(folder / "a.png", tmp_path / "link.png", sigma=3.0, overwrite=True)


@pytest.mark.parametrize("place", ["in/../../up/*.png", "in/*/../../../up/*.png"])
def test_a_pattern_does_not_write_outside_of_the_output(tmp_path: Path, place: str) -> None:
    for folder in ("up", "work/in/sub", "work/up"):
        (tmp_path / folder).mkdir(parents=True)
        Image.fromarray(np.zeros((16, 16), np.uint8)).save(tmp_path / folder / "a.png")
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    out = tmp_path / "work" / "deep" / "out"
    with suppress(ValueError):
        network(3)(os.path.join(tmp_path, "work", place), out, sigma=3.0)  # noqa: PTH118
    made = {path for path in tmp_path.rglob("*") if path.is_file()} - before
    assert all(path.is_relative_to(out) for path in made)
