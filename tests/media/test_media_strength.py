"""A share of the noise, from file to file: of every kind of file, and of the planes of a video."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from self2align.images import png
from self2align.images.files import read_image
from self2align.videos.yuv import read_planes
from tests.media.running import KilledError, Run

Write = Callable[[Path], None]


def _values(dtype: str = "uint8") -> NDArray[Any]:
    """Noisy frames, (T, 32, 40, 3), away from the ends of their type."""
    most = np.iinfo(dtype).max
    return (most * np.random.default_rng(0).normal(0.5, 0.08, (4, 32, 40, 3))).round().astype(dtype)


def _png(path: Path) -> None:
    path.write_bytes(png.encode_png(_values("uint16")[0]))


def _folder(path: Path) -> None:
    path.mkdir()
    for number, frame in enumerate(_values()):
        (path / f"{number}.png").write_bytes(png.encode_png(frame))


def _tiff(path: Path) -> None:
    tifffile.imwrite(path, _values("uint16"), photometric="rgb")


def _zarr(path: Path) -> None:
    zarr.create_array(path, data=_values(), chunks=(2, 32, 40, 3), dimension_names="tyxc")


def _video(pixels: str) -> Write:
    def write(path: Path) -> None:
        with av.open(str(path), "w") as out:
            stream: Any = out.add_stream("ffv1", rate=25)
            stream.height, stream.width, stream.pix_fmt = 32, 40, pixels
            for frame in _values():
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(format=pixels)))
            out.mux(stream.encode(None))

    return write


def _read(path: Path) -> NDArray[np.float64]:
    """Return all values of a file or folder; of a video the codes of its planes, one after the other."""
    if path.suffix == ".mkv":
        with av.open(str(path)) as container:
            planes = [read_planes(frame) for frame in container.decode(video=0)]
        return np.concatenate([np.concatenate([one.ravel() for one in some]) for some in planes]).astype(float)
    if path.suffix == ".zarr":
        return np.asarray(zarr.open_array(path, mode="r")[...], float)
    if path.suffix == ".tif":
        return tifffile.imread(path).astype(float)
    if path.is_dir():
        return np.stack([_read(one) for one in sorted(path.iterdir())])
    return read_image(path)[0].astype(float)


KINDS: dict[str, Write] = {
    "in.png": _png,
    "in": _folder,
    "in.tif": _tiff,
    "in.zarr": _zarr,
    "in.mkv": _video("yuv420p"),
    "in10.mkv": _video("yuv420p10le"),
}


def _changed(*, identity: bool = False, **told: Any) -> Run:
    return Run(3, identity=identity, **told)


@pytest.mark.parametrize("name", KINDS)
def test_the_result_lies_so_far_from_the_noisy_frame_to_the_denoised_one(tmp_path: Path, name: str) -> None:
    KINDS[name](source := tmp_path / name)
    codec: dict[str, Any] = {"codec": "ffv1"} if source.suffix == ".mkv" else {}
    made = {}
    for strength in (None, 1.0, 0.4, 0.0):
        made[strength] = source.with_stem(f"{source.stem}-{strength}")
        # Without the option, and with all: the same bytes.
        told: dict[str, Any] = {} if strength is None else {"strength": strength}
        _changed()(source, made[strength], **codec, **told)
    noisy, full = _read(source), _read(made[None])
    assert np.abs(full - noisy).mean() > 1
    np.testing.assert_array_equal(_read(made[1.0]), full)
    np.testing.assert_array_equal(_read(made[0.0]), noisy)
    # Rounding: of this result, and 0.4 of that of the full one.
    assert np.abs(_read(made[0.4]) - (noisy + 0.4 * (full - noisy))).max() <= 0.71


@pytest.mark.parametrize("name", ["in.mkv", "in10.mkv"])
def test_planes_of_a_video_change_apart(tmp_path: Path, name: str) -> None:
    KINDS[name](source := tmp_path / name)
    _changed()(source, tmp_path / "full.mkv", codec="ffv1")
    _changed()(source, tmp_path / "chroma.mkv", codec="ffv1", luma=0.0)
    _changed()(source, tmp_path / "luma.mkv", codec="ffv1", chroma=0.0)
    noisy, full, chroma, luma = (
        _read(tmp_path / one).reshape(4, -1) for one in (name, "full.mkv", "chroma.mkv", "luma.mkv")
    )
    size = 32 * 40
    np.testing.assert_array_equal(chroma[:, :size], noisy[:, :size])
    np.testing.assert_array_equal(chroma[:, size:], full[:, size:])
    np.testing.assert_array_equal(luma[:, :size], full[:, :size])
    np.testing.assert_array_equal(luma[:, size:], noisy[:, size:])


@pytest.mark.parametrize("name", ["in.tif", "in.zarr"])
def test_killed_and_resumed_it_ends_in_the_same_bytes_with_the_same_strength_alone(tmp_path: Path, name: str) -> None:
    KINDS[name](source := tmp_path / name)
    whole, out = source.with_stem("whole"), source.with_stem("out")
    told: dict[str, Any] = {"luma": 0.5, "chroma": 0.8}
    _changed()(source, whole, **told)
    with pytest.raises(KilledError):
        _changed(killed_after=2)(source, out, **told)
    other = _changed()
    other(source, source.with_stem("other"), luma=0.5)
    with pytest.raises(KilledError):
        _changed(killed_after=0)(source, out, luma=0.5)  # nothing of the former is taken
    resumed = _changed()
    resumed(source, out, **told)
    assert (len(other.seen), len(resumed.seen)) == (4, 2)
    np.testing.assert_array_equal(_read(out), _read(whole))


def test_gray_is_luma_alone_and_that_is_said(tmp_path: Path) -> None:
    gray = np.random.default_rng(0).integers(50, 200, (2, 24, 32), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "in.tif", gray, photometric="minisblack")
    run = Run(1, identity=False)
    run(tmp_path / "in.tif", tmp_path / "luma.tif", luma=0.5)
    assert run.notes == [f"{tmp_path / 'in.tif'}: its frames are gray: the strength of luma counts, 0.5"]
    run(tmp_path / "in.tif", tmp_path / "both.tif", strength=0.5)
    assert run.notes == []
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "luma.tif"), tifffile.imread(tmp_path / "both.tif"))


def test_samples_that_are_no_colors_are_refused(tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(50, 200, (24, 32, 2), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "in.tif", values, photometric="minisblack", planarconfig="contig", extrasamples=[0])
    with pytest.raises(ValueError, match=r"in\.tif: found 2 channels, expected gray or RGB for luma 1 and chroma 0\.5"):
        Run(1)(tmp_path / "in.tif", tmp_path / "out.tif", chroma=0.5)
    assert [path.name for path in tmp_path.iterdir()] == ["in.tif"]
