"""Values that are no light, in footage for training."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from self2align.runtime.progress import silent
from self2align.sources.ingest import ingest_source
from self2align.sources.mending import mended
from self2align.sources.source import Selection
from self2align.stores.scene import Scene
from self2align.survey.scene import survey_scene


def _scene(texture: NDArray[np.float32], repeats: bool = False) -> Scene:
    draw = np.random.default_rng(0)
    frames = np.stack([texture[:1, t : t + 96, 2 * t : 2 * t + 128] for t in range(6)])
    frames = (1000 * (frames + 0.05 * draw.standard_normal(frames.shape))).astype(np.float32)
    return Scene("cells", frames[[0, 1, 2, 2, 3, 4, 4, 5]] if repeats else frames, 1023.0)


def test_a_cosmic_ray_is_filled_and_nothing_else_changes(texture: NDArray[np.float32]) -> None:
    scene = _scene(texture)
    assert mended(scene) == (scene, 0)
    hit = scene.frames.copy()
    hit[3, 0, 40, 50] = 1e7
    found, count = mended(Scene("cells", hit, 1023.0))
    assert count == 1
    others = np.ones(hit.shape, bool)
    others[3, 0, 40, 50] = False
    np.testing.assert_array_equal(found.frames[others], scene.frames[others])
    assert abs(found.frames[3, 0, 40, 50] - scene.frames[3, 0, 40, 50]) < 400
    assert hit[3, 0, 40, 50] == np.float32(1e7)


def test_a_note_says_what_was_filled_and_that_nothing_was_left_out(
    texture: NDArray[np.float32], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    frames = _scene(texture).frames.copy()
    frames[3, 0, 40, 50] = 1e7
    tifffile.imwrite("cells.tif", frames[:, 0], photometric="minisblack", metadata={"axes": "TYX"})
    made = ingest_source(
        "mine",
        stage="ingest",
        kind="stack",
        path=Path("cells.tif"),
        selection=Selection(color="gray"),
        out=Path("mine.zarr"),
        bars=silent,
        white=1023.0,
        roles=["pairs"],
    )
    (note,) = made.notes
    assert note.startswith("filled in cells: 1 values, far beyond white and all around them")
    assert made.skipped == []


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_with_its_frame(texture: NDArray[np.float32], value: float) -> None:
    scene = _scene(texture)
    scene.frames[4, 0, :, :3] = value
    for check in (mended, survey_scene):
        with pytest.raises(ValueError, match=r"cells: found 288 values .* not finite in frame 4, expected finite"):
            check(scene)


def test_no_store_for_training_holds_what_is_not_finite(
    texture: NDArray[np.float32], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So noise is never measured on such values: stores of frames are made by ingest, or of its stores."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    frames = _scene(texture).frames.copy()
    frames[3, 0, 40, 50] = np.nan
    tifffile.imwrite("cells.tif", frames[:, 0], photometric="minisblack", metadata={"axes": "TYX"})
    with pytest.raises(ValueError, match=r"cells: found 1 values that are not finite in frame 3"):
        ingest_source(
            "mine",
            stage="ingest",
            kind="stack",
            path=Path("cells.tif"),
            selection=Selection(color="gray"),
            out=Path("mine.zarr"),
            bars=silent,
            white=1023.0,
            roles=["pairs"],
        )
    assert not Path("mine.zarr").exists()


def test_a_survey_is_not_led_astray_by_a_cosmic_ray_or_copies(texture: NDArray[np.float32]) -> None:
    usual = survey_scene(_scene(texture))
    assert (usual.outliers, usual.evidence.note) == (0, "")
    hit = _scene(texture, repeats=True)
    hit.frames[1, 0, 40, 50] = 1e7
    found = survey_scene(hit)
    assert found.outliers == 1
    assert found.brightest == pytest.approx(usual.brightest, rel=0.05)
    assert found.noise.sigma == pytest.approx(usual.noise.sigma, rel=0.1)
    assert max(found.shared) < 0.05
    assert found.evidence.left_out == {"copy": (3, 6)}
    assert found.evidence.note.startswith("of 8 frames 2 are the frame before again")


def test_a_recording_of_one_value_is_refused() -> None:
    with pytest.raises(ValueError, match=r"flat: found frames of one value, expected footage with something to see"):
        survey_scene(Scene("flat", np.full((4, 1, 64, 64), 700, np.uint16), 65535.0))
