"""What `import self2align` promises."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from numpy.typing import NDArray
from PIL import Image

import self2align
from self2align import Denoiser
from self2align.alignment.loading import make_aligner, save_aligner
from self2align.denoising.denoiser import _memory, resolve_axes
from self2align.networks.unet import UNet
from self2align.stages.tools.denoise import denoise
from self2align.stores.weights import save_bundle, save_weights


def _weights(path: Path, channels: int, **header: Any) -> Path:
    torch.manual_seed(0)
    network = UNet(channels, width=4, depth=1)
    torch.nn.init.normal_(network.last.weight, std=0.05)
    arguments = {"width": 4, "depth": 1, "residual": True}
    told = {"kind": "denoiser", "network": "unet", "channels": channels, "arguments": arguments, **header}
    save_weights(path, network.state_dict(), told)
    return path


@pytest.fixture
def rgb(tmp_path: Path) -> Path:
    return _weights(tmp_path / "rgb.safetensors", 3)


@pytest.fixture
def gray(tmp_path: Path) -> Path:
    return _weights(tmp_path / "gray.safetensors", 1)


def _frames(shape: tuple[int, ...], dtype: str = "uint8") -> NDArray[Any]:
    draw = np.random.default_rng(0).random(shape)
    return draw.astype(dtype) if dtype.startswith(("f", ">f")) else (draw * 200 + 20).astype(dtype)


def test_the_import_is_light_and_every_name_is_there() -> None:
    script = "import sys, self2align; print(sorted({'torch', 'numpy', 'zarr', 'cv2'} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
    assert dir(self2align) == sorted(self2align.__all__)
    for name in self2align.__all__:
        value = getattr(self2align, name)
        assert name == "__version__" or value.__doc__
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        getattr(self2align, "nothing")  # noqa: B009


def test_a_picture_comes_out_as_from_the_command(rgb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    picture = _frames((40, 52, 3))
    Image.fromarray(picture).save(tmp_path / "in.png")
    denoise(str(tmp_path / "in.png"), tmp_path / "out.png", weights=rgb)
    result = Denoiser.load(rgb)(picture)
    np.testing.assert_array_equal(result, np.asarray(Image.open(tmp_path / "out.png")))
    assert (result != picture).any()


def test_a_stack_comes_out_as_from_the_command(gray: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    stack = _frames((5, 40, 48), "uint16")
    tifffile.imwrite(tmp_path / "in.tif", stack)
    denoise(str(tmp_path / "in.tif"), tmp_path / "out.tif", weights=gray)
    np.testing.assert_array_equal(Denoiser.load(gray)(stack), tifffile.imread(tmp_path / "out.tif"))


def test_strengths_are_those_of_the_command(rgb: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    picture, denoiser = _frames((40, 52, 3)), Denoiser.load(rgb)
    Image.fromarray(picture).save(tmp_path / "in.png")
    denoise(str(tmp_path / "in.png"), tmp_path / "out.png", weights=rgb, luma=0.3, chroma=0.9)
    np.testing.assert_array_equal(denoiser(picture, luma=0.3, chroma=0.9), np.asarray(Image.open(tmp_path / "out.png")))
    np.testing.assert_array_equal(denoiser(picture, strength=0.0), picture)
    np.testing.assert_array_equal(denoiser(picture, luma=1.0, chroma=1.0), denoiser(picture))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32", "float64", ">u2", ">f4"])
@pytest.mark.parametrize("shape", [(24, 32), (3, 24, 32), (24, 32, 3), (5, 24, 32), (2, 3, 24, 32), (2, 24, 32, 1)])
def test_shape_and_type_are_kept_and_the_input_too(rgb: Path, shape: tuple[int, ...], dtype: str) -> None:
    frames = _frames(shape, dtype)
    before = frames.copy()
    result = Denoiser.load(str(rgb), device="cpu")(frames)
    assert (result.shape, result.dtype) == (frames.shape, frames.dtype)
    np.testing.assert_array_equal(frames, before)


def test_axes_mean_what_they_say(rgb: Path) -> None:
    denoiser, frames = Denoiser.load(rgb, device="cpu"), _frames((2, 3, 24, 32))
    expected = denoiser(frames)
    for axes in ("TYXC", "CTYX", "YXCT"):
        turned = frames.transpose(["TCYX".index(letter) for letter in axes])
        back = denoiser(turned, axes=axes).transpose([axes.index(letter) for letter in "TCYX"])
        np.testing.assert_array_equal(back, expected)
    np.testing.assert_array_equal(denoiser(frames[0]), expected[0])


def test_white_scales_the_values(gray: Path) -> None:
    denoiser, frames = Denoiser.load(gray, device="cpu"), _frames((24, 32), "float32")
    np.testing.assert_allclose(denoiser(1023 * frames, white=1023), 1023 * denoiser(frames), rtol=1e-4)
    counts = (4000 * frames).astype(np.int32)
    assert denoiser(counts, white=4095).dtype == np.int32


@pytest.mark.parametrize(
    ("shape", "axes", "expected"),
    [
        ((9, 9), None, "YX"),
        ((3, 9, 9), None, "CYX"),
        ((9, 9, 3), None, "YXC"),
        ((7, 9, 9), None, "TYX"),
        ((7, 3, 9, 9), None, "TCYX"),
        ((7, 9, 9, 1), None, "TYXC"),
        ((3, 9, 3), "tyx", "TYX"),
    ],
)
def test_axes_are_resolved_by_one_rule(shape: tuple[int, ...], axes: str | None, expected: str) -> None:
    assert resolve_axes(shape, 3, axes) == expected


@pytest.mark.parametrize(
    ("shape", "axes", "message"),
    [
        ((3, 9, 3), None, r"shape \(3, 9, 3\), CYX or YXC; expected axes="),
        ((7, 9, 9, 9), None, r"axes that no rule fits; expected axes="),
        ((24, 32, 4), None, r"axes that no rule fits; expected axes="),
        ((7,), None, "expected axes="),
        ((2, 2, 3, 9, 9), None, "expected axes="),
        ((9, 9), "XX", "axes: found 'XX'"),
        ((9, 9, 9), "ZYX", "axes: found 'ZYX'"),
        ((0, 9), None, "expected values"),
    ],
)
def test_a_shape_that_is_not_clear_is_refused(shape: tuple[int, ...], axes: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        resolve_axes(shape, 3, axes)
    assert "\n" not in str(error.value)


def test_what_cannot_be_denoised_is_refused_in_one_line(rgb: Path, tmp_path: Path) -> None:
    denoiser = Denoiser.load(rgb, device="cpu")
    cases: list[tuple[Any, dict[str, Any], str]] = [
        (_frames((24, 32)), {"sigma": 0.0}, "sigma: found 0 at the least, expected more than 0"),
        (_frames((24, 32)) > 99, {}, "found values of type bool"),
        (_frames((24, 32)), {"temporal": 2}, "expected an axis T"),
        (_frames((5, 40, 40)), {"temporal": 2}, "temporal: found no aligner"),
        (_frames((5, 40, 40)), {"temporal": -1}, "temporal: found -1, expected 0 or more"),
        (_frames((24, 32)), {"white": 0.0}, "white: found 0"),
        (_frames((24, 32)), {"strength": -1.0}, "strength: found -1, expected a number from 0 to 1"),
    ]
    for frames, options, message in cases:
        with pytest.raises(ValueError, match=message):
            denoiser(frames, **options)
    with pytest.raises(ValueError, match="found no file"):
        Denoiser.load(tmp_path / "none.safetensors")


def test_neighbours_help_as_with_the_command(gray: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    told = {"aligner": "dis", "channels": 1, "arguments": {}}
    save_aligner(tmp_path / "aligner.safetensors", make_aligner("dis", 1, {}), told)
    bundle = tmp_path / "bundle.safetensors"
    save_bundle(bundle, {"denoiser": gray, "aligner": tmp_path / "aligner.safetensors"})
    stack = _frames((4, 48, 64))
    tifffile.imwrite(tmp_path / "in.tif", stack, photometric="minisblack")
    denoise(str(tmp_path / "in.tif"), tmp_path / "out.tif", weights=bundle, temporal=1)
    shown: list[tuple[int, int]] = []
    result = Denoiser.load(bundle)(stack, temporal=1, progress=lambda done, of: shown.append((done, of)))
    np.testing.assert_array_equal(result, tifffile.imread(tmp_path / "out.tif"))
    assert (result != Denoiser.load(bundle)(stack)).any()
    assert shown == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_memory_is_in_mib_and_has_a_default(gray: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SELF2ALIGN_MEMORY", raising=False)
    assert _memory(None) == 2048
    monkeypatch.setenv("SELF2ALIGN_MEMORY", "1")
    assert _memory(None) == 1
    assert _memory(16) == 16
    frames = _frames((256, 320))
    np.testing.assert_allclose(
        Denoiser.load(gray, device="cpu")(frames), Denoiser.load(gray, device="cpu", memory=4096)(frames), atol=1
    )
    monkeypatch.setenv("SELF2ALIGN_MEMORY", "much")
    with pytest.raises(ValueError, match="SELF2ALIGN_MEMORY: found 'much', expected a number of MiB"):
        Denoiser.load(gray)
    with pytest.raises(ValueError, match="memory: found 0 MiB, expected at least 1"):
        Denoiser.load(gray, memory=0)


def test_tensors_are_arrays_too(gray: Path) -> None:
    denoiser, frames = Denoiser.load(gray, device="cpu"), _frames((24, 32), "float32")
    np.testing.assert_array_equal(denoiser(torch.from_numpy(frames)), denoiser(frames))


def test_clipping_is_undone_if_the_weights_say_so(tmp_path: Path, gray: Path) -> None:
    clipping = {"gain": 0.0, "read": 0.01, "low": True, "high": False}
    clipped = Denoiser.load(_weights(tmp_path / "c.safetensors", 1, clipping=clipping), device="cpu")
    dark = np.full((24, 32), 0.05, np.float32)
    assert clipped(dark, sigma=0.1).mean() < clipped(dark, sigma=0.1, unclip=False).mean()
    np.testing.assert_array_equal(clipped(dark), dark, "there is no noise")
