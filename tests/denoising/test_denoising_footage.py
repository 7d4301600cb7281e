"""Footage from file to file, each frame with its neighbours."""

from pathlib import Path

import av
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from self2align.alignment.loading import make_aligner
from self2align.denoising.frames import WithNeighbours
from tests.media.running import KilledError, Run

FRAMES = 30


@pytest.fixture
def clip(texture: NDArray[np.float32]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A clean picture that moves by (1, 0) px a frame, (30, 64, 80), and the same with noise of sigma 20."""
    levels = np.clip(texture.mean(0) * 400 - 70, 30, 225)
    clean = np.stack([levels[40:104, 20 + t : 100 + t] for t in range(FRAMES)])
    noisy = clean + 20 * np.random.default_rng(0).standard_normal(clean.shape)
    return clean.round().astype(np.uint8), noisy.round().clip(0, 255).astype(np.uint8)


def _error(found: NDArray[np.uint8], clean: NDArray[np.uint8]) -> float:
    return float(np.square(found[:, 8:-8, 8:-8].astype(float) - clean[:, 8:-8, 8:-8]).mean())


def test_a_stack_is_better_with_neighbours(tmp_path: Path, clip: tuple[NDArray[np.uint8], NDArray[np.uint8]]) -> None:
    clean, noisy = (frames[:6] for frames in clip)
    tifffile.imwrite(tmp_path / "in.tif", noisy, photometric="minisblack")
    Run(radius=2)(tmp_path / "in.tif", tmp_path / "out.tif")
    # The network changes nothing: all that is gained comes from the neighbours.
    assert _error(tifffile.imread(tmp_path / "out.tif"), clean) < 0.5 * _error(noisy, clean)


@pytest.mark.parametrize("kind", ["tif", "mp4"])
def test_killed_and_resumed_it_ends_in_the_same_bytes(
    tmp_path: Path, clip: tuple[NDArray[np.uint8], NDArray[np.uint8]], kind: str
) -> None:
    source = tmp_path / f"in.{kind}"
    if kind == "tif":
        tifffile.imwrite(source, clip[1], photometric="minisblack")
    else:
        with av.open(str(source), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"crf": "0"})
            stream.width, stream.height, stream.pix_fmt = 80, 64, "yuv444p"
            for one in clip[1]:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(one, format="gray")))
            container.mux(stream.encode())
    channels = 1 if kind == "tif" else 3
    Run(channels, radius=1)(source, tmp_path / f"whole.{kind}")
    with pytest.raises(KilledError):
        Run(channels, radius=1, killed_after=27)(source, tmp_path / f"out.{kind}")
    assert not (tmp_path / f"out.{kind}").exists()
    later = Run(channels, radius=1)
    later(source, tmp_path / f"out.{kind}")
    assert len(later.seen) < 10, "finished frames were denoised anew"
    assert (tmp_path / f"out.{kind}").read_bytes() == (tmp_path / f"whole.{kind}").read_bytes()


@pytest.mark.parametrize(("network", "pixels"), [(3, 1), (1, 3)])
def test_other_channels_are_fused_as_one_frame_of_them_is_denoised(
    tmp_path: Path, clip: tuple[NDArray[np.uint8], NDArray[np.uint8]], network: int, pixels: int
) -> None:
    clean, noisy = (frames[:5] for frames in clip)
    colours = np.stack([noisy[..., ::-1] if channel == 1 else noisy for channel in range(pixels)], -1)
    tifffile.imwrite(tmp_path / "in.tif", colours.squeeze(), photometric="rgb" if pixels == 3 else "minisblack")
    Run(network, radius=1)(tmp_path / "in.tif", tmp_path / "out.tif")
    found = tifffile.imread(tmp_path / "out.tif").reshape(colours.shape)
    assert _error(found[..., 0], clean) < 0.6 * _error(noisy, clean)
    # Each channel by itself: the mirrored one too.
    assert _error(found[..., -1], clean) < 0.6 * _error(noisy, clean)
    if pixels == 3:
        np.testing.assert_array_equal(found[..., 0], found[..., 2])
        assert _error(found[..., 1], clean[..., ::-1]) < 0.6 * _error(noisy, clean)


def test_frames_that_cannot_be_aligned_are_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "small.tif", np.zeros((3, 20, 40), np.uint8), photometric="minisblack")
    with pytest.raises(ValueError, match=r"temporal: found frames of 40 x 20 px, expected at least 32 px each way"):
        Run(radius=1)(tmp_path / "small.tif", tmp_path / "out.tif")
    assert not list(tmp_path.glob("out*"))
    denoise = WithNeighbours(Run().denoiser, make_aligner("dis", 1, {}), 1)
    frames = (np.zeros((1, 48, width), np.float32) for width in (56, 56, 64))
    with pytest.raises(ValueError, match=r"temporal: found frame 2 of shape \(1, 48, 64\), expected \(1, 48, 56\)"):
        list(denoise(frames))
