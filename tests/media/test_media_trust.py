"""The file of the maps of trust: of every kind of footage, whole or not at all, the same after a kill."""

import json
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from self2align.alignment.loading import make_aligner, save_aligner
from self2align.denoising.denoiser import Denoiser
from self2align.images import png
from self2align.media import staging
from self2align.networks.unet import UNet
from self2align.stages.tools.denoise import denoise
from self2align.stores.weights import save_bundle, save_weights
from tests.media.running import KilledError

COUNT, SIZE = 4, (35, 42)
WEIGHTS = Path("bundle.safetensors")


def _values() -> NDArray[np.uint8]:
    """Frames that stand still on the left; on the right each shows something else. (T, H, W)."""
    draw = np.random.default_rng(0)
    pictures = [gaussian_filter(draw.standard_normal(SIZE), 2) * 300 + 128 for _ in range(COUNT)]
    still = np.where(np.arange(SIZE[1]) < SIZE[1] // 2, pictures[0], pictures)
    return (still + 15 * draw.standard_normal(still.shape)).clip(0, 255).round().astype(np.uint8)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a bundle of a gray denoiser that changes nothing and an aligner."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    told = {"channels": 1, "arguments": {"width": 4, "depth": 1}}
    save_weights(Path("d"), UNet(1, width=4, depth=1).state_dict(), {"kind": "denoiser", "network": "unet", **told})
    save_aligner(Path("a"), make_aligner("dis", 1, {}), {"aligner": "dis", "channels": 1, "arguments": {}})
    save_bundle(WEIGHTS, {"denoiser": Path("d"), "aligner": Path("a")})
    for name in "da":
        Path(name).unlink()
    return tmp_path


def _tiff(path: Path) -> None:
    tifffile.imwrite(path, _values(), photometric="minisblack")


def _make(path: Path) -> None:
    if path.suffix == ".tif":
        _tiff(path)
    elif path.suffix == ".zarr":
        zarr.create_array(path, data=_values())
    elif path.suffix == ".mkv":
        with av.open(str(path), "w") as out:
            stream: Any = out.add_stream("ffv1", rate=10)
            stream.height, stream.width, stream.pix_fmt = *SIZE, "gray"
            for frame in _values():
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray")))
            out.mux(stream.encode(None))
    else:
        path.mkdir()
        for number, frame in enumerate(_values()):
            (path / f"{number}.png").write_bytes(png.encode_png(frame[..., None]))


def _expected() -> NDArray[np.float32]:
    maps: list[NDArray[np.float32]] = []
    Denoiser.load(WEIGHTS, device="cpu")(_values(), axes="TYX", temporal=2, trust=maps.append)
    return np.stack(maps)


def _read(path: Path) -> NDArray[np.uint8]:
    if path.suffix == ".zarr":
        array = zarr.open_array(path, mode="r")
        assert dict(array.attrs) == {"scale_factor": 1 / 255, "add_offset": 0.0}
        assert json.loads((path / "zarr.json").read_text())["dimension_names"] == ["t", "y", "x"]
        return np.asarray(array[...])
    if path.suffix == ".tif":
        return tifffile.imread(path)
    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
        assert container.streams.video[0].average_rate == 10
    return np.stack(frames)


def test_it_is_bright_where_neighbours_show_the_same(here: Path) -> None:
    maps = _expected()
    assert maps.shape == (COUNT, *SIZE)
    assert maps.dtype == np.float32
    left, right = maps[..., 4 : SIZE[1] // 2 - 6].mean(), maps[..., SIZE[1] // 2 + 6 : -4].mean()
    assert left > 0.4
    assert right < 0.2
    assert 0 <= maps.min() <= maps.max() <= 0.8


@pytest.mark.parametrize(
    ("name", "trust"), [("in.tif", "t.zarr"), ("in.zarr", "t.tif"), ("in", "t.tif"), ("in.mkv", "t.mp4")]
)
def test_every_kind_of_footage_has_maps_and_results_stay(here: Path, name: str, trust: str) -> None:
    _make(here / name)
    out = f"out{Path(name).suffix}"
    denoise(name, Path(out), weights=WEIGHTS, temporal=2, trust=here / "maps" / trust)
    denoise(name, Path(f"same{out}"), weights=WEIGHTS, temporal=2)
    found, expected = _read(here / "maps" / trust), np.rint(255 * _expected()).astype(int)
    if trust.endswith(".mp4"):
        assert found.shape == (COUNT, SIZE[0] + 1, SIZE[1])
        assert np.abs(found[:, : SIZE[0]].astype(int) - expected).mean() < 1.5
    else:
        np.testing.assert_array_equal(found, expected)
    files = sorted(path for path in here.glob(f"{out}/**/*" if Path(out).is_dir() else out) if path.is_file())
    assert files
    assert all(path.read_bytes() == (here / f"same{path.relative_to(here)}").read_bytes() for path in files)
    assert sorted(path.name for path in here.iterdir()) == sorted([name, out, f"same{out}", "maps", WEIGHTS.name])


def test_video_of_10_bits_has_the_maps_of_its_values_and_keeps_its_bits(here: Path) -> None:
    deep = (4 * _values().astype(np.uint16) + np.random.default_rng(1).integers(0, 4, (COUNT, *SIZE))).astype(np.uint16)
    with av.open("in.mkv", "w") as out:
        stream: Any = out.add_stream("ffv1", rate=10)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "gray10le"
        for frame in deep:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="gray10le")))
        out.mux(stream.encode(None))
    denoise("in.mkv", Path("out.mkv"), weights=WEIGHTS, temporal=2, trust=Path("t.tif"), codec="ffv1")
    denoise("in.mkv", Path("same.mkv"), weights=WEIGHTS, temporal=2, codec="ffv1")
    maps: list[NDArray[np.float32]] = []
    Denoiser.load(WEIGHTS, device="cpu")(deep, axes="TYX", white=1023, temporal=2, trust=maps.append)
    found = _read(Path("t.tif"))
    assert found.std() > 20
    # A pixel at the edge of being trusted may turn by rounding alone.
    assert (np.abs(found.astype(int) - np.rint(255 * np.stack(maps))) <= 1).mean() > 0.99
    assert Path("out.mkv").read_bytes() == Path("same.mkv").read_bytes()
    with av.open("out.mkv") as container:
        assert container.streams.video[0].format.name == "gray10le"


@pytest.mark.parametrize(("suffix", "trust"), [(".tif", "t.tif"), (".mkv", "t.mkv")])
def test_killed_at_any_moment_both_end_in_the_same_bytes(
    here: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, trust: str
) -> None:
    """Of a kill between two frames, and between the result and its maps."""
    _make(here / f"in{suffix}")
    monkeypatch.setattr("self2align.media.video.SEGMENT", 2)
    how: dict[str, Any] = {"weights": WEIGHTS, "temporal": 1, "trust": Path(trust)}
    denoise(f"in{suffix}", Path(f"whole{suffix}"), **{**how, "trust": Path(f"whole-{trust}")})
    module = "video" if suffix == ".mkv" else "finishing"
    saved = __import__(f"self2align.media.{module}", fromlist=["save_map"]).save_map

    def save_map(scratch: Path, index: int, values: Any) -> None:
        if index == 3:
            raise KilledError
        saved(scratch, index, values)

    def move_results(output: Path) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(f"self2align.media.{module}.save_map", save_map)
        with pytest.raises(KilledError):
            denoise(f"in{suffix}", Path(f"out{suffix}"), **how)
    [broken] = here.glob(".out*/*/parts/00000000.trust")
    broken.write_bytes(broken.read_bytes()[:-1])  # a damaged part is made again
    with monkeypatch.context() as patch:
        patch.setattr(staging, "_move_results", move_results)
        with pytest.raises(KilledError):
            denoise(f"in{suffix}", Path(f"out{suffix}"), **how)
    assert not Path(trust).exists()
    assert not Path(f"out{suffix}").exists()
    with pytest.raises(ValueError, match=r"found it there already"):  # the next run moves what was finished
        denoise(f"in{suffix}", Path(f"out{suffix}"), **how)
    assert Path(trust).read_bytes() == Path(f"whole-{trust}").read_bytes()
    assert Path(f"out{suffix}").read_bytes() == Path(f"whole{suffix}").read_bytes()
    assert not list(here.glob(".*"))


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"temporal": 0}, r"^trust: found temporal 0, expected 1 or more: frames alone have no neighbours to trust$"),
        ({"trust": Path("t.png")}, r"^trust: found t\.png with suffix '\.png', expected one of \.tif, \.tiff, \.mkv, "),
        ({"trust": Path("out.tif")}, r"^trust: found out\.tif and out\.tif one within the other, expected them apart$"),
        ({"trust": Path("in.tif")}, r"^trust: found in\.tif and in\.tif one within the other, expected them apart$"),
        ({"trust": Path("there.tif")}, r"^there\.tif: found it there already, expected a new name, or --overwrite "),
        ({"trust": Path("d.tif"), "overwrite": True}, r"^d\.tif: found a folder, expected a file to replace$"),
        ({"trust": Path("f.zarr"), "overwrite": True}, r"^f\.zarr: found a file, expected a Zarr array to replace$"),
    ],
)
def test_what_cannot_be_written_is_refused_before_any_work(here: Path, told: dict[str, Any], message: str) -> None:
    _make(here / "in.tif")
    Path("there.tif").touch()
    Path("f.zarr").touch()
    Path("d.tif").mkdir()
    before = sorted(here.rglob("*"))
    with pytest.raises(ValueError, match=message):
        denoise("in.tif", Path("out.tif"), **{"weights": WEIGHTS, "temporal": 1, "trust": Path("t.tif"), **told})
    assert sorted(here.rglob("*")) == before


def test_maps_of_several_footages_do_not_fit_one_file(here: Path) -> None:
    Path("in").mkdir()
    _make(here / "in" / "a.tif")
    _make(here / "in" / "b.tif")
    with pytest.raises(ValueError, match=r"^trust: found 2 videos, stacks or folders in in, expected one for t\.tif$"):
        denoise("in", Path("out"), weights=WEIGHTS, temporal=1, trust=Path("t.tif"))
    assert not Path("out").exists()


def test_an_existing_file_is_replaced_when_told(here: Path) -> None:
    _make(here / "in.tif")
    how: dict[str, Any] = {"weights": WEIGHTS, "temporal": 1}
    denoise("in.tif", Path("out.tif"), trust=Path("t.tif"), **how)
    before = Path("t.tif").read_bytes()
    Path("t.tif").write_bytes(b"other")
    denoise("in.tif", Path("out.tif"), trust=Path("t.tif"), overwrite=True, **how)
    assert Path("t.tif").read_bytes() == before
