"""Results as floats: where they are asked for, and where rounding would undo the denoising."""

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray
from PIL import Image

from self2align.denoising.denoiser import Denoiser
from tests.media.running import Run

NOTE = (
    "written as float32: its noise is below 2 steps of its values, so that rounding to whole numbers would undo the "
    "denoising; --dtype same keeps "
)


@pytest.fixture(scope="module")
def run() -> Run:
    """A denoiser of gray that changes nothing."""
    return Run(normalised=True)


def _counts(mean: float, dtype: str = "uint16", frames: int = 3) -> NDArray[Any]:
    slope = mean * np.linspace(0.5, 1.5, 64) * np.ones((frames, 64, 64))
    return np.random.default_rng(0).poisson(slope).astype(dtype)


@pytest.mark.parametrize(
    ("mean", "dtype", "floats"),
    [(0.36, "uint8", True), (0.36, "int32", True), (1, "uint16", True), (30, "uint16", False), (0.36, "float32", True)],
)
def test_few_photons_become_floats_and_say_so(tmp_path: Path, run: Run, mean: float, dtype: str, floats: bool) -> None:
    data = _counts(mean, dtype)
    tifffile.imwrite(tmp_path / "in.tif", data, photometric="minisblack")
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    result = tifffile.imread(tmp_path / "out.tif")
    assert result.dtype == ("float32" if floats else dtype)
    np.testing.assert_allclose(result, data, atol=1e-6)
    changed = floats and dtype != "float32"
    assert run.notes == ([f"{tmp_path / 'in.tif'}: {NOTE}{dtype}"] if changed else [])


def _mask() -> NDArray[Any]:
    return np.asarray(np.indices((64, 64)).sum(0) // 16 % 2, np.uint8)


def _night() -> NDArray[Any]:
    """A picture of full contrast with little noise."""
    slope = np.linspace(0, 250, 64) * np.ones((64, 64))
    return np.clip(np.rint(slope + np.random.default_rng(0).normal(0, 1, (64, 64))), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("picture", [_mask(), _night(), np.full((64, 64), 3, np.uint8)])
def test_what_shows_no_steps_keeps_its_type(tmp_path: Path, run: Run, picture: NDArray[Any]) -> None:
    tifffile.imwrite(tmp_path / "in.tif", picture, photometric="minisblack")
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert tifffile.imread(tmp_path / "out.tif").dtype == np.uint8
    assert run.notes == []


def test_what_is_asked_for_is_done(tmp_path: Path) -> None:
    data = _counts(0.36)
    tifffile.imwrite(tmp_path / "in.tif", data, photometric="minisblack", compression="lzw", predictor=True)
    some = Run(identity=False)
    for dtype, expected in (("same", "uint16"), ("float32", "float32")):
        some(tmp_path / "in.tif", tmp_path / f"{dtype}.tif", dtype=dtype)
        assert some.notes == []
        assert tifffile.imread(tmp_path / f"{dtype}.tif").dtype == expected
    rounded, exact = (tifffile.imread(tmp_path / name) for name in ("same.tif", "float32.tif"))
    assert (exact != np.rint(exact)).mean() > 0.5
    np.testing.assert_array_equal(rounded, np.clip(np.rint(exact), 0, None))


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("shards", [False, True])
def test_zarr(tmp_path: Path, run: Run, version: Any, shards: bool) -> None:
    data = _counts(0.36, "uint8")
    told: dict[str, Any] = {"shards": (1, 64, 64)} if shards and version == 3 else {}
    zarr.create_array(
        tmp_path / "in.zarr", data=data, chunks=(1, 32, 32), zarr_format=version, attributes={"a": 1}, **told
    )
    run(tmp_path / "in.zarr", tmp_path / "out.zarr", axes="TYX")
    result: Any = zarr.open_array(tmp_path / "out.zarr", mode="r")
    assert (result.dtype, result.chunks, dict(result.attrs)) == (np.float32, (1, 32, 32), {"a": 1})
    np.testing.assert_allclose(result[...], data, atol=1e-6)
    assert run.notes == [f"{tmp_path / 'in.zarr'}: {NOTE}uint8"]


def test_frames_of_one_folder_have_one_type(tmp_path: Path, run: Run) -> None:
    (tmp_path / "in").mkdir()
    for number, mean in enumerate((0.36, 30, 0.36)):
        tifffile.imwrite(tmp_path / "in" / f"{number}.tif", _counts(mean)[0], photometric="minisblack")
    run(tmp_path / "in", tmp_path / "out")
    assert {tifffile.imread(path).dtype.name for path in (tmp_path / "out").iterdir()} == {"float32"}


def test_ome_says_the_type(tmp_path: Path, run: Run) -> None:
    tifffile.imwrite(tmp_path / "in.ome.tif", _counts(0.36), metadata={"axes": "TYX", "SignificantBits": 12})
    run(tmp_path / "in.ome.tif", tmp_path / "out.ome.tif")
    with tifffile.TiffFile(tmp_path / "out.ome.tif") as file:
        assert 'Type="float"' in (file.ome_metadata or "")
        assert "SignificantBits" not in (file.ome_metadata or "")
        assert (file.series[0].axes, file.series[0].dtype.name) == ("TYX", "float32")


def test_alpha_keeps_its_values(tmp_path: Path) -> None:
    data = np.random.default_rng(0).integers(0, 255, (24, 29, 4)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "in.tif", data, photometric="rgb", extrasamples=["unassalpha"])
    Run(3)(tmp_path / "in.tif", tmp_path / "out.tif", dtype="float32")
    np.testing.assert_allclose(tifffile.imread(tmp_path / "out.tif"), data, atol=1e-4)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
def test_formats_of_whole_numbers_refuse_floats(tmp_path: Path, run: Run, suffix: str) -> None:
    Image.fromarray(_counts(3, "uint8")[0]).convert("L" if suffix != ".webp" else "RGB").save(tmp_path / f"in{suffix}")
    with pytest.raises(ValueError, match=rf"--dtype: found float32 for .*out\{suffix}, expected same; TIFF files and"):
        run(tmp_path / f"in{suffix}", tmp_path / f"out{suffix}", dtype="float32")
    assert [path.name for path in tmp_path.iterdir()] == [f"in{suffix}"]


def test_arrays_in_python(run: Run) -> None:
    data = _counts(0.36)
    denoiser = Denoiser(run.denoiser)
    assert denoiser(data).dtype == np.uint16
    result = denoiser(data, dtype=np.float32)
    assert result.dtype == np.float32
    np.testing.assert_allclose(result, data, atol=1e-6)
    with pytest.raises(ValueError, match="dtype: found uint8, expected float16, float32, float64, or that of the"):
        denoiser(data, dtype="uint8")


@pytest.mark.parametrize("suffix", [".png", ".mkv"])
@pytest.mark.parametrize(("mean", "said"), [(0.36, True), (40.0, False)])
def test_formats_without_floats_say_what_rounding_undoes(
    tmp_path: Path, run: Run, suffix: str, mean: float, said: bool
) -> None:
    source = tmp_path / f"in{suffix}"
    data = _counts(mean, "uint8")
    if suffix == ".png":
        Image.fromarray(data[0]).save(source)
        run(source, tmp_path / "out.png")
    else:
        with av.open(str(source), "w") as container:
            stream = container.add_stream("ffv1", 25)
            stream.width, stream.height, stream.pix_fmt = 64, 64, "gray"
            for one in data:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(one, format="gray")))
            container.mux(stream.encode())
        run(source, tmp_path / "out.mkv", codec="ffv1")
    found = [note for note in run.notes if "rounding to whole numbers undoes most" in note]
    assert len(found) == said
