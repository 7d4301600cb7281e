"""A quick look: the frames of a real run, before and after, on one picture, and the output left alone."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image

from self2align.alignment.loading import make_aligner, save_aligner
from self2align.denoising.tiled import TiledDenoiser
from self2align.media.preview import APART, CROP, GAP
from self2align.networks.unet import UNet
from self2align.stages.tools.denoise import denoise
from self2align.stores.weights import save_weights
from tests.videos.making import add_stream, encode

SIDE = 72  # px of a frame: less than the crop, so that all of it is shown
WEIGHTS, OUT, SHEET = Path("denoiser.safetensors"), Path("out.tif"), Path("out.preview.png")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with weights, an aligner and a stack of 40 noisy pages, to work in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    torch.manual_seed(0)
    network = UNet(1, width=8, depth=2)
    torch.nn.init.normal_(network.last.weight, std=0.3)
    header = {"kind": "denoiser", "network": "unet", "channels": 1, "arguments": {"width": 8, "depth": 2}}
    save_weights(WEIGHTS, network.state_dict(), header)
    save_aligner(
        Path("dis.safetensors"), make_aligner("dis", 1, {}), {"aligner": "dis", "channels": 1, "arguments": {}}
    )
    draw = np.random.default_rng(0)
    ramp = np.linspace(15000, 45000, SIDE)
    stack = (ramp + draw.normal(0, 4000, (40, SIDE, SIDE))).astype(np.uint16)
    tifffile.imwrite("in.tif", stack, photometric="minisblack", metadata={"axes": "TYX"})
    return tmp_path


def _rows(sheet: Path, height: int, width: int, count: int) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """Return the pictures of a sheet: noisy and denoised, row by row."""
    pixels = np.asarray(Image.open(sheet))
    assert pixels.shape[:2] == (count * (height + GAP) - GAP, 2 * width + GAP)
    tops = [row * (height + GAP) for row in range(count)]
    return [(pixels[top : top + height, :width], pixels[top : top + height, width + GAP :]) for top in tops]


@pytest.mark.parametrize("told", [{}, {"temporal": 1, "aligner": Path("dis.safetensors")}, {"strength": 0.5}])
def test_it_shows_what_the_real_run_makes(folder: Path, told: dict[str, Any]) -> None:
    denoise("in.tif", OUT, weights=WEIGHTS, preview=3, **told)
    assert sorted(path.name for path in folder.iterdir()) == [
        "denoiser.safetensors",
        "dis.safetensors",
        "in.tif",
        SHEET.name,
    ]
    denoise("in.tif", OUT, weights=WEIGHTS, **told)
    noisy, clean = tifffile.imread("in.tif").astype(float), tifffile.imread(OUT).astype(float)
    places = [0, APART, 2 * APART]
    low, high = np.quantile(noisy[places], (0.001, 0.999))
    rows = _rows(SHEET, SIDE, SIDE, 3)
    for place, shown in zip(places, rows, strict=True):
        for stored, pixels in zip((noisy[place], clean[place]), shown, strict=True):
            expected = (255 * (stored - low) / (high - low)).clip(0, 255)
            assert np.abs(pixels - expected).max() < 1
    assert np.abs(rows[0][0].astype(int) - rows[0][1]).mean() > 1, "something was taken off"


def test_it_leaves_an_existing_output_and_unfinished_work_alone(folder: Path) -> None:
    OUT.write_bytes(b"of an earlier run")
    work = folder / ".out.tif.unfinished" / "0123"
    work.mkdir(parents=True)
    (work / "part").write_bytes(b"done")
    denoise("in.tif", OUT, weights=WEIGHTS, preview=1)
    denoise("in.tif", OUT, weights=WEIGHTS, preview=2)
    assert OUT.read_bytes() == b"of an earlier run"
    assert [path.name for path in work.iterdir()] == ["part"]
    _rows(SHEET, SIDE, SIDE, 2)


def test_it_denoises_no_more_frames_than_it_shows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    usual = TiledDenoiser.__call__

    def counted(self: TiledDenoiser, noisy: NDArray[np.float32], *more: Any, **told: Any) -> NDArray[np.float32]:
        seen.append(noisy.shape)
        return usual(self, noisy, *more, **told)

    monkeypatch.setattr(TiledDenoiser, "__call__", counted)
    large = np.random.default_rng(1).integers(0, 65535, (3, 300, 400), dtype=np.uint16)
    tifffile.imwrite("in.tif", large, photometric="minisblack", metadata={"axes": "TYX"})
    denoise("in.tif", OUT, weights=WEIGHTS, preview=2)
    assert seen == [(1, *CROP)] * 2
    [(first, _), _] = _rows(SHEET, *CROP, 2)
    middle = large[0, 30:270, 40:360].astype(float)
    assert np.corrcoef(first.ravel(), middle.ravel())[0, 1] > 0.99


def test_a_video_is_shown_as_it_is(folder: Path) -> None:
    draw = np.random.default_rng(2)
    frames = [draw.normal(120, 12, (64, 80, 3)).clip(0, 255).astype(np.uint8) for _ in range(APART + 2)]
    with av.open("in.mkv", "w") as out:
        encode(out, add_stream(out, "ffv1", size=(64, 80), pixels="bgr0"), frames)
    denoise("in.mkv", Path("out.mkv"), weights=WEIGHTS, preview=2)
    rows = _rows(SHEET, 64, 80, 2)
    for place, (shown, clean) in zip((0, APART), rows, strict=True):
        np.testing.assert_array_equal(shown, frames[place])
        assert np.abs(clean.astype(int) - shown).mean() > 1
    assert not list(folder.glob("*out.mkv*"))


def test_of_a_folder_it_shows_pictures_from_all_of_it(folder: Path) -> None:
    (folder / "in").mkdir()
    pages = [np.full((SIDE, SIDE), 20 * number, np.uint8) for number in range(9)]
    for number, page in enumerate(pages):
        Image.fromarray(page).save(f"in/{number}.png")
    denoise("in", Path("out"), weights=WEIGHTS, sigma=5.0, preview=3)
    shown = [int(noisy[0, 0]) for noisy, _ in _rows(SHEET, SIDE, SIDE, 3)]
    assert shown == [0, 80, 160]
    assert not (folder / "out").exists()


def test_a_preview_among_the_pictures_is_refused(folder: Path) -> None:
    for name in ("a.png", "b.png"):
        Image.fromarray(np.zeros((SIDE, SIDE), np.uint8)).save(name)
    with pytest.raises(ValueError, match=r"^out\.preview\.png: found the preview's place among the pictures"):
        denoise("*.png", Path("out"), weights=WEIGHTS, preview=1)
    assert not SHEET.exists()


def test_maps_of_trust_are_refused(folder: Path) -> None:
    with pytest.raises(ValueError, match="--trust: found it together with --preview, expected one of them"):
        denoise("in.tif", OUT, weights=WEIGHTS, temporal=1, trust=Path("trust.tif"), preview=1)
