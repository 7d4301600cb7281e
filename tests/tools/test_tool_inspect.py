from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from self2align.report.contents import brief, shortened, size_text
from self2align.stages.tools.inspect import inspect
from self2align.stores.codes import Coding
from self2align.stores.contents import array_contents, store_kind, true_transfer
from self2align.stores.frames import FrameStore, Part, SceneRecord, write_frames
from self2align.stores.pairs import table, write_pairs
from self2align.stores.scene import Truth
from self2align.stores.weights import save_weights

ROWS, CROP, MARGIN = 12, 16, 4
Run = Callable[..., str]


def quiet(done: int, total: int) -> None:
    assert done <= total


def fill_pairs(name: str, start: int, stop: int) -> dict[str, NDArray[Any]]:
    count, wide = stop - start, CROP + 2 * MARGIN
    generator = np.random.default_rng(1)
    rows = np.arange(start, stop)
    levels = {
        "target": (count, 3, CROP, CROP),
        "source": (count, 3, wide, wide),
        "warped": (count, 3, CROP, CROP),
    }
    values: dict[str, NDArray[Any]] = {
        key: generator.integers(0, 65536, shape, dtype=np.uint16) for key, shape in levels.items()
    }
    values["transfer"] = np.ones((count, 2, CROP, CROP), np.float16)
    values["confidence"] = np.full((count, CROP, CROP), 51, np.uint8)  # 0.2
    for key in ("ssim", "ssim_filtered"):
        values[key] = (rows / ROWS).astype(np.float32)
    for key in ("gain", "offset", "noise_gain", "noise_read", "noise_white"):
        values[key] = np.ones(count, np.float32)
    for key in ("target_frame", "source_frame", "top", "left"):
        values[key] = rows.astype(np.int32)
    values["scene"] = (rows % 2).astype(np.int32)
    values["role"] = (rows % 2).astype(np.int8)
    return values


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    scratch = tmp_path / "work"
    scratch.mkdir()
    coding = Coding("uint16", 2 / 65535, -0.5)
    layout = table(ROWS, CROP, MARGIN, 3, coding, coding, 1)
    attributes = {
        "noise": {"model": "gaussian", "sigma": 25.0},
        "scenes": ["a/one", "b/two"],
        "seed": 7,
        "skipped": [{"scene": "c/tiny", "why": "8 x 8 px: smaller than a crop of 16 px"}],
    }
    final = tmp_path / "pairs.zarr"
    write_pairs(final, layout, fill_pairs, attributes, scratch, quiet)
    return final


def fetch(part: Part, start: int, stop: int) -> NDArray[np.uint8]:
    return np.full((stop - start, 3, 24, 40), 200, np.uint8)


def fetch_truth(part: Part) -> Truth:
    return Truth(
        target=np.array([0, 1, 2], np.int32),
        source=np.array([1, 2, 3], np.int32),
        transfer=np.stack([np.full((2, 24, 40), n, np.float32) for n in range(3)]),
        occluded=np.zeros((3, 24, 40), bool),
    )


@pytest.fixture
def frames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SELF2ALIGN_WORKERS", "1")
    scratch = tmp_path / "work"
    scratch.mkdir()
    parts = [
        Part(
            SceneRecord("s", f"scene{n:02d}", ("pairs",), "", 0, 5, 24, 40),
            Coding("uint8", 1 / 255),
            3,
            "",
            3,
        )
        for n in range(22)
    ]
    write_frames(tmp_path / "frames.zarr", parts, fetch, {"skipped": []}, scratch, quiet, fetch_truth)
    return tmp_path / "frames.zarr"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    monkeypatch.chdir(tmp_path)

    def call(*arguments: Any, **options: Any) -> str:
        inspect(*arguments, **options)
        return capsys.readouterr().out

    return call


def test_a_store_of_pairs_is_shown(pairs: Path, run: Run, tmp_path: Path) -> None:
    text = run(pairs, pairs=3)
    assert "self2align pairs 3" in text
    assert "12x3x24x24" in text
    assert "noise: model gaussian, sigma 25" in text
    assert "c/tiny: 8 x 8 px" in text
    assert "12 pairs of 2 scenes" in text
    assert "mean confidence: 0.200 (all pairs)" in text
    bars = [line for line in text.splitlines() if " to " in line and "█" in line]
    # Twelve different values over twenty bins, for each of two scores.
    assert len(bars) == 24
    assert "contact sheet: pairs.png" in text
    with Image.open(tmp_path / "pairs.png") as image:
        assert image.mode == "RGB"
        assert image.width > 5 * 8 * CROP


def test_the_sheet_has_the_same_bytes_twice(pairs: Path, run: Run, tmp_path: Path) -> None:
    first, second = tmp_path / "sheets" / "a.png", tmp_path / "sheets" / "b.png"
    run(pairs, sheet=first)
    run(pairs, sheet=second)
    assert first.read_bytes() == second.read_bytes()


def test_a_store_of_frames_is_shown_and_its_long_list_shortened(frames: Path, run: Run, tmp_path: Path) -> None:
    text = run(frames, pairs=2)
    assert "110x3x24x40" in text
    assert "22 scenes, 110 frames" in text
    assert "... and 2 more" in text
    assert "s/scene19" in text
    assert "s/scene20" not in text
    assert (tmp_path / "frames.png").is_file()


def test_the_true_field_nearest_to_a_frame_is_found(frames: Path) -> None:
    store = FrameStore(frames)
    for scene in (store.scenes[0], store.scenes[5]):
        field = true_transfer(store, scene, 1)
        assert field is not None
        assert (field == 1).all()
        last = true_transfer(store, scene, 4)
        assert last is not None
        assert (last == 2).all()


def test_arrays_are_listed_with_their_bytes(pairs: Path) -> None:
    arrays = {item.name: item for item in array_contents(pairs)}
    target = arrays["pairs/target"]
    assert (target.shape, target.chunks) == ((12, 3, 16, 16), (1, 3, 16, 16))
    assert target.shards == (12, 3, 16, 16)
    assert target.raw == 12 * 3 * 16 * 16 * 2
    files = [file for file in pairs.rglob("*") if file.is_file()]
    chunks = sum(file.stat().st_size for file in files if file.name != "zarr.json")
    assert sum(item.stored for item in arrays.values()) == chunks
    assert target.raw / 2 < target.stored < 2 * target.raw
    assert target.codec == "blosc lz4 5 bitshuffle"
    assert arrays["pairs/ssim"].shards is None


def test_weights_tell_their_header(run: Run, tmp_path: Path) -> None:
    header = {"kind": "denoiser", "network": "unet", "arguments": {"width": 48}, "training": {"steps": 4000}}
    save_weights(tmp_path / "d.safetensors", {"w": torch.zeros(30, 50)}, header)
    text = run(tmp_path / "d.safetensors")
    assert "denoiser" in text
    for row in (
        ("parameters", "1,500"),
        ("network", "unet"),
        ("arguments", "width 48"),
        ("training.steps", "4000"),
    ):
        assert any(all(word in line for word in row) for line in text.splitlines())


@pytest.mark.parametrize("content", [None, "folder", "file", "{", "[]", "{}", '{"attributes": {"kind": "other"}}'])
def test_what_is_no_store_is_refused_in_one_line(content: str | None, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "thing"
    if content == "file":
        path.write_text("x")
    elif content is not None:
        path.mkdir()
        if content != "folder":
            (path / "zarr.json").write_text(content)
    with pytest.raises(ValueError, match=r"thing: found .*expected a store") as caught:
        run(path)
    assert "\n" not in str(caught.value)


def test_a_folder_of_stores_names_them(tmp_path: Path) -> None:
    (tmp_path / "ingest" / "clips.zarr").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"it holds clips\.zarr"):
        store_kind(tmp_path / "ingest")


def test_a_sheet_has_to_be_a_png(pairs: Path, run: Run) -> None:
    with pytest.raises(ValueError, match=r"--sheet: found out\.jpg"):
        run(pairs, sheet=Path("out.jpg"))


def test_values_and_sizes_are_told_in_short() -> None:
    assert brief(["ab" * 32, "ab"]) == f"{'ab' * 8}, ab"
    assert brief({"a": 1.0, "b": [1, 2], "c": None}) == "a 1, b 1, 2, c none"
    assert [size_text(n) for n in (0, 1023, 1536, 5 * 2**30)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
    assert shortened([[n, n] for n in range(30)], 20)[-1] == ["... and 10 more", ""]
