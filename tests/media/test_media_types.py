"""Every type of value through every container that holds it: scale, offset and sign come out as they went in."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from self2align.denoising.denoiser import Denoiser
from self2align.media.medium import Choices
from self2align.media.run import open_media
from self2align.media.staging import asked
from self2align.media.tiff import TiffStack
from self2align.media.zarr_planes import ZarrPlanes
from tests.media.running import KilledError, Run

SIZE = (20, 24)
# Type -> ranges that its values may have: full, narrow about an offset, and with both signs where it has them.
RANGES: dict[str, tuple[tuple[float, float], ...]] = {
    "uint8": ((0, 255),),
    "int8": ((-3, 96),),
    "uint16": ((0, 65535), (30000, 34095)),
    "int16": ((-32768, 32767), (-1000, 3000)),
    "uint32": ((70000, 74000),),
    "int32": ((-70000, 70000),),
    "uint64": ((0, 2**24),),
    "int64": ((-5000, 90000),),
    "float16": ((-1, 1),),
    "float32": ((0, 871), (-3.2, 3.2), (1e6, 1.001e6)),
    "float64": ((-1e-9, 1e-9), (0, 1e12)),
}
CASES = [(dtype, span) for dtype, spans in RANGES.items() for span in spans]


@pytest.fixture(scope="module", params=[1, 3], ids=["gray", "rgb"])
def same(request: pytest.FixtureRequest) -> Run:
    """A denoiser that changes nothing."""
    return Run(request.param, normalised=True)


def _footage(dtype: str, span: tuple[float, float], frames: int = 2) -> NDArray[Any]:
    """Frames of noise about a slope, within a range."""
    low, high = span
    draw = np.random.default_rng(0).normal(0.5, 0.12, (frames, *SIZE)) + np.linspace(-0.15, 0.15, SIZE[1])
    values = low + np.clip(draw, 0, 1) * (high - low)
    return (values if np.dtype(dtype).kind == "f" else np.rint(values)).astype(dtype)


def _assert_same(result: NDArray[Any], data: NDArray[Any]) -> None:
    assert result.dtype == data.dtype
    kind = data.dtype
    # Floats, and integers that float32 does not hold, go through its rounding, of the range of the frame.
    exact = kind.kind != "f" and float(np.ptp(data.astype(float))) < 2**22
    largest = float(np.abs(data.astype(float)).max())
    within = 0 if exact else 2.0**-21 * float(np.ptp(data.astype(float)))
    # Where white is told, values are scaled and back: two roundings of their own type.
    within += 0 if kind.kind != "f" else 2 * float(np.finfo(kind).eps) * largest
    np.testing.assert_allclose(result.astype(float), data.astype(float), rtol=0, atol=within)


@pytest.mark.parametrize("white", [None, 1023.0])
@pytest.mark.parametrize(("dtype", "span"), CASES)
def test_tiff(tmp_path: Path, same: Run, dtype: str, span: tuple[float, float], white: float | None) -> None:
    data = _footage(dtype, span)
    tifffile.imwrite(tmp_path / "in.tif", data, photometric="minisblack")
    same(tmp_path / "in.tif", tmp_path / "out.tif", white=white, dtype="same")
    _assert_same(tifffile.imread(tmp_path / "out.tif"), data)


@pytest.mark.parametrize(("version", "white"), [(2, None), (3, 1023.0)])
@pytest.mark.parametrize(("dtype", "span"), CASES)
def test_zarr(tmp_path: Path, dtype: str, span: tuple[float, float], white: float | None, version: Any) -> None:
    data = _footage(dtype, span)
    zarr.create_array(tmp_path / "in.zarr", data=data, chunks=(1, 16, 16), zarr_format=version)
    _SHARED(tmp_path / "in.zarr", tmp_path / "out.zarr", white=white, dtype="same", axes="TYX")
    _assert_same(np.asarray(zarr.open_array(tmp_path / "out.zarr", mode="r")[...]), data)


_SHARED = Run(normalised=True)


@pytest.mark.parametrize("how", [{"white": 1023.0}, {"sigma": 0.01}])
@pytest.mark.parametrize(("dtype", "span"), CASES)
def test_arrays(dtype: str, span: tuple[float, float], how: dict[str, Any]) -> None:
    data = _footage(dtype, span)
    told = {**how, **({"sigma": 0.1 * (span[1] - span[0])} if "sigma" in how else {})}
    _assert_same(Denoiser(_SHARED.denoiser)(data, **told), data)


@pytest.mark.parametrize(("dtype", "span"), [("int16", (-1000, 3000)), ("float32", (0, 871)), ("uint64", (0, 2**24))])
def test_tiles(tmp_path: Path, dtype: str, span: tuple[float, float]) -> None:
    tiled = Run(normalised=True, memory=2**18)
    assert len(tiled.denoiser.tiles_for(96, 112)) > 2
    data = np.tile(_footage(dtype, span, 1), (1, 5, 5))[:, :96, :112]
    tifffile.imwrite(tmp_path / "in.tif", data, photometric="minisblack")
    tiled(tmp_path / "in.tif", tmp_path / "out.tif", white=1023.0)
    _assert_same(tifffile.imread(tmp_path / "out.tif"), data)


@pytest.mark.parametrize(("dtype", "span"), [("int16", (-1000, 3000)), ("float32", (0, 871)), ("uint16", (0, 1023))])
def test_neighbours_of_footage_without_noise(tmp_path: Path, dtype: str, span: tuple[float, float]) -> None:
    picture = np.random.default_rng(0).uniform(*span, (6, 7)).astype(dtype).repeat(16, 0).repeat(16, 1)
    data = np.stack([picture[t : 64 + t, 2 * t : 72 + 2 * t] for t in range(4)])
    tifffile.imwrite(tmp_path / "in.tif", data, photometric="minisblack")
    Run(normalised=True, radius=1)(tmp_path / "in.tif", tmp_path / "out.tif", white=1023.0)
    _assert_same(tifffile.imread(tmp_path / "out.tif"), data)


@pytest.mark.parametrize("white", [None, 1023.0])
@pytest.mark.parametrize(("dtype", "span"), [("int8", (-3, 96)), ("float32", (-3.2, 3.2)), ("uint32", (70000, 74000))])
def test_resumed_after_a_kill(tmp_path: Path, dtype: str, span: tuple[float, float], white: float | None) -> None:
    data = _footage(dtype, span, 5)
    tifffile.imwrite(tmp_path / "in.tif", data, photometric="minisblack")
    with pytest.raises(KilledError):
        Run(normalised=True, killed_after=2)(tmp_path / "in.tif", tmp_path / "out.tif", white=white)
    again = Run(normalised=True)
    again(tmp_path / "in.tif", tmp_path / "out.tif", white=white)
    assert len(again.seen) == 3
    _assert_same(tifffile.imread(tmp_path / "out.tif"), data)


TRAINED = {"float32": 2048.0}  # as the weights record it, whatever type the footage came in


@pytest.mark.parametrize(
    ("dtype", "trained", "white"),
    [
        *[(dtype, TRAINED, 2048.0) for dtype in ("int16", "uint32", "int64", "float16", "float32", "float64")],
        ("int8", {"uint8": 100.0, **TRAINED}, 2048.0),
        ("uint16", {"uint16": 4095.0, **TRAINED}, 4095.0),
        ("float64", {"float32": 1.0}, 1.0),
        ("int16", {"float32": 1.0}, None),
        ("uint16", TRAINED, None),
    ],
)
def test_white_of_training_counts_for_types_that_are_stored_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, dtype: str, trained: dict[str, float], white: float | None
) -> None:
    shown: list[float] = []
    monkeypatch.setattr(_SHARED.denoiser, "whites", trained)
    monkeypatch.setattr(_SHARED.denoiser, "watch", lambda noise: shown.append(noise.span))
    whites = set()
    for number, span in enumerate([(0, 90), (3, 20)]):  # two recordings of one camera, far below white
        data = _footage(dtype, span)
        tifffile.imwrite(tmp_path / f"{number}.tif", data, photometric="minisblack")
        zarr.create_array(tmp_path / f"{number}.zarr", data=data)
        choices = Choices(1, axes="TYX", trained=trained)
        for suffix in (".tif", ".zarr"):
            jobs = asked(str(tmp_path / f"{number}{suffix}"), tmp_path / f"out{suffix}", False)
            [(_, medium)] = open_media(jobs, choices)
            assert isinstance(medium, (TiffStack, ZarrPlanes))
            whites.add((1 / medium.coding.scale, medium.coding.offset))
        Denoiser(_SHARED.denoiser)(data)
    if white is None:
        assert len(whites) == 2
        assert max(shown) > 0.1
    else:
        assert whites == {(white, 0.0)}
        assert max(shown) == pytest.approx(65 / white, rel=0.2)


@pytest.mark.parametrize("dtype", ["complex64", "bool"])
def test_types_that_are_no_numbers_of_light_are_refused(tmp_path: Path, dtype: str) -> None:
    data = np.zeros(SIZE, dtype)
    zarr.create_array(tmp_path / "in.zarr", data=data)
    with pytest.raises(ValueError, match=f"found values of type {dtype}, expected integers or real numbers"):
        _SHARED(tmp_path / "in.zarr", tmp_path / "out.zarr", axes="YX")
    with pytest.raises(ValueError, match=f"found values of type {dtype}, expected integers or real numbers"):
        Denoiser(_SHARED.denoiser)(data)
