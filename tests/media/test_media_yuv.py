"""Color of video: codes that nothing changes stay, and a change lands where it belongs."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from self2align.denoising.frames import Kept, OneByOne, Unclipped
from self2align.denoising.tiled import TiledDenoiser
from self2align.media.medium import Choices
from self2align.media.pixels import frame_of
from self2align.media.segments import Encoding
from self2align.media.video import VideoFile
from self2align.networks.normalised import Normalised
from self2align.networks.unet import UNet
from self2align.noise.clipping import Clipping
from self2align.stores.codes import Coding
from self2align.videos.pixels import Planar
from self2align.videos.yuv import Yuv, nearest, planar_frame, read_planes

SIZE = (37, 51)  # odd height and width
LIMITED, FULL = 1, 2
BT709, UNKNOWN, BT601, BT2020 = 1, 2, 5, 9


class Same:
    """A denoiser that changes nothing."""

    radius = 0

    def __call__(self, frames: Any, progress: Any = None, sigma: Any = None, colours: bool = True) -> Any:
        """Yield the frames."""
        for frame in frames:
            yield frame.copy()


def _random(pixels: str, count: int = 1) -> list[list[NDArray[Any]]]:
    """Return planes of every code there is, those beyond black and white too."""
    draw = np.random.default_rng(0)
    frames = [read_planes(av.VideoFrame(SIZE[1], SIZE[0], pixels)) for _ in range(count)]
    most = 1 << av.VideoFormat(pixels).components[0].bits
    return [[draw.integers(0, most, plane.shape).astype(plane.dtype) for plane in frame] for frame in frames]


def _write(path: Path, frames: list[list[NDArray[Any]]], pixels: str, color_range: int, matrix: int) -> None:
    with av.open(str(path), "w") as out:
        stream: Any = out.add_stream("ffv1", rate=25)
        stream.height, stream.width, stream.pix_fmt = *frames[0][0].shape, pixels
        stream.codec_context.color_range, stream.codec_context.colorspace = color_range, matrix
        for planes in frames:
            out.mux(stream.encode(planar_frame(planes, pixels)))
        out.mux(stream.encode(None))


def _read(path: Path) -> tuple[Any, list[list[NDArray[Any]]]]:
    with av.open(str(path)) as container:
        frames = list(container.decode(video=0))
    return frames[0], [[plane.copy() for plane in read_planes(frame)] for frame in frames]


def _pass(source: Path, target: Path, codec: str | None = None, denoise: Any = None) -> VideoFile:
    """Denoise a video by what changes nothing."""
    medium = VideoFile(source, target, Choices(3, codec=codec))
    scratch = target.with_suffix(".parts")
    scratch.mkdir()
    medium.work(scratch, denoise or Same(), lambda done, total: None)
    medium.assemble(scratch, target)
    return medium


@pytest.mark.parametrize(
    ("pixels", "color_range", "matrix"),
    [
        ("yuv420p", LIMITED, BT709),
        ("yuv420p", FULL, BT601),
        ("yuv420p", 0, UNKNOWN),
        ("yuv422p", LIMITED, BT601),
        ("yuv444p", LIMITED, UNKNOWN),
        ("yuv411p", 0, UNKNOWN),
        ("yuv420p10le", LIMITED, BT2020),
        ("yuv420p10le", FULL, UNKNOWN),
        ("yuv422p10le", LIMITED, BT709),
        ("yuv444p12le", FULL, BT709),
        ("yuv444p16le", LIMITED, UNKNOWN),
    ],
)
def test_codes_that_nothing_changes_stay(tmp_path: Path, pixels: str, color_range: int, matrix: int) -> None:
    planes = _random(pixels, 2)
    _write(tmp_path / "in.mkv", planes, pixels, color_range, matrix)
    medium = _pass(tmp_path / "in.mkv", tmp_path / "out.mkv", "ffv1")
    first, found = _read(tmp_path / "out.mkv")
    assert (first.format.name, int(first.color_range), int(first.colorspace)) == (pixels, color_range, matrix)
    assert medium.notes == []
    for one, other in zip(found, planes, strict=True):
        for plane, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(plane, expected)


@pytest.mark.parametrize("normalised", [False, True])
def test_a_network_that_gives_back_its_input_changes_no_code(tmp_path: Path, normalised: bool) -> None:
    network: Any = UNet(3, width=4, depth=1).eval()  # its last layer is 0
    network = Normalised(network) if normalised else network
    denoise = OneByOne(TiledDenoiser(network, 3, device=torch.device("cpu"), memory=2**28))
    planes = _random("yuv420p", 2)
    _write(tmp_path / "in.mkv", planes, "yuv420p", LIMITED, BT709)
    _pass(tmp_path / "in.mkv", tmp_path / "out.mkv", "ffv1", denoise)
    assert not denoise.denoiser.untouched
    for one, other in zip(_read(tmp_path / "out.mkv")[1], planes, strict=True):
        for plane, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(plane, expected)


@pytest.mark.parametrize("pixels", ["nv12", "yuyv422", "uyvy422"])
def test_planes_that_are_interleaved_are_put_in_order(pixels: str) -> None:
    source = av.VideoFrame(32, 16, pixels)
    draw = np.random.default_rng(0)
    for plane in source.planes:
        plane.update(draw.integers(0, 256, plane.buffer_size).astype(np.uint8).tobytes())
    yuv = Yuv.of(source)
    assert yuv is not None
    coding, form = Coding("uint8", 1 / 255), Planar(yuv)
    noisy = form.values(source, coding)
    frame = frame_of(form, source, noisy, noisy.copy(), coding, _encoding(yuv.pixels))
    lines = np.frombuffer(memoryview(source.planes[0]), np.uint8).reshape(16, -1)
    luma = {"nv12": lines[:, :32], "yuyv422": lines[:, 0:64:2], "uyvy422": lines[:, 1:64:2]}[pixels]
    np.testing.assert_array_equal(read_planes(frame)[0], luma)
    if pixels == "nv12":
        pairs = np.frombuffer(memoryview(source.planes[1]), np.uint8).reshape(8, -1)[:, :32]
        np.testing.assert_array_equal(read_planes(frame)[1], pairs[:, ::2])
        np.testing.assert_array_equal(read_planes(frame)[2], pairs[:, 1::2])


def test_lines_stored_from_the_last_to_the_first_are_put_in_order() -> None:
    (planes,) = _random("yuv420p")
    graph = av.filter.Graph()
    start = graph.add_buffer(None, SIZE[1], SIZE[0], av.VideoFormat("yuv420p"), time_base=Fraction(1, 25))
    ends = [start, graph.add("vflip"), graph.add("buffersink")]
    graph.link_nodes(*ends).configure()
    graph.push(planar_frame(planes, "yuv420p"))
    turned: Any = graph.pull()
    assert turned.planes[0].line_size < 0
    for plane, expected in zip(read_planes(turned), planes, strict=True):
        np.testing.assert_array_equal(plane, expected[::-1])


def _encoding(pixels: str) -> Encoding:
    return Encoding("ffv1", *SIZE[::-1], pixels, Fraction(25), LIMITED, BT709, BT709, BT709, None)


@pytest.mark.parametrize(
    ("yuv", "codes", "rgb"),
    [
        (Yuv(8, (1, 1), full=False), (16, 128, 128), (0, 0, 0)),
        (Yuv(8, (1, 1), full=False), (235, 128, 128), (1, 1, 1)),
        (Yuv(8, (1, 1), full=True), (255, 128, 128), (1, 1, 1)),
        (Yuv(10, (1, 1), full=False), (940, 512, 512), (1, 1, 1)),
        (Yuv(8, (1, 1), full=False), (254, 128, 128), (238 / 219, 238 / 219, 238 / 219)),
        # Red at 100 %: SMPTE RP 219 for BT.709, and BT.601.
        (Yuv(8, (1, 1), full=False, weights=(0.2126, 0.0722)), (63, 102, 240), (1, 0, 0)),
        (Yuv(8, (1, 1), full=False), (81, 90, 240), (1, 0, 0)),
    ],
)
def test_codes_of_known_colors(yuv: Yuv, codes: tuple[int, ...], rgb: tuple[float, ...]) -> None:
    planes = [np.full((1, 1), code, np.uint16) for code in codes]
    np.testing.assert_allclose(yuv.rgb(planes).ravel(), rgb, atol=0.006)


@pytest.mark.parametrize(("pixels", "layout", "white"), [("yuv420p", "rgb24", 255), ("yuv422p10le", "rgb48le", 65535)])
@pytest.mark.parametrize("matrix", [BT709, UNKNOWN, BT2020])
def test_colors_are_those_of_libswscale(pixels: str, layout: str, white: int, matrix: int) -> None:
    (planes,) = _random(pixels)
    for plane, code in zip(planes, (120, 105, 140), strict=True):
        plane[:] = code * (4 if white == 65535 else 1)
    frame = planar_frame(planes, pixels)
    frame.colorspace, frame.color_range = matrix, LIMITED
    yuv = Yuv.of(frame)
    assert yuv is not None
    theirs = frame.to_ndarray(format=layout).transpose(2, 0, 1) / white
    np.testing.assert_allclose(yuv.rgb(planes), theirs, atol=1.5 / 255)  # libswscale rounds twice


@pytest.mark.parametrize("block", [(1, 1), (1, 2), (2, 2), (1, 4)])
def test_a_denoised_frame_arrives_whole(block: tuple[int, int]) -> None:
    # All noise goes, that of chroma too: the planes become those of the clean frame.
    yuv = Yuv(8, block, full=False)
    noisy, clean = _random(yuv.pixels, 2)
    added = yuv.added(noisy, yuv.rgb(clean) - yuv.rgb(noisy))
    for plane, expected in zip(yuv.coded(added, yuv), clean, strict=True):
        np.testing.assert_array_equal(plane, expected)


def test_gray_light_changes_luma_alone() -> None:
    yuv = Yuv(8, (2, 2), full=False)
    planes = [np.full(shape, 100, np.uint8) for shape in (SIZE, (19, 26), (19, 26))]
    y, u, v = yuv.added(planes, np.full((3, *SIZE), 10 / 219, np.float32))
    np.testing.assert_allclose(y, 110, atol=1e-4)
    np.testing.assert_allclose([u, v], 100, atol=1e-4)


def test_more_bits_and_samples_hold_the_same_color() -> None:
    eight, ten = Yuv(8, (2, 2), full=False), Yuv(10, (1, 2), full=False)
    (planes,) = _random("yuv420p")
    y, u, v = eight.coded(planes, ten)
    np.testing.assert_array_equal(y, planes[0].astype(int) * 4)
    for plane, source in ((u, planes[1]), (v, planes[2])):
        np.testing.assert_array_equal(plane, np.repeat(source.astype(int) * 4, 2, 0)[: SIZE[0]])
    white = Yuv(8, (1, 1), full=True).coded([np.array([[255]])] * 3, Yuv(10, (1, 1), full=True))
    assert [int(plane[0, 0]) for plane in white] == [1023, 1021, 1021]  # of chroma, 127 of 255 above the middle


@pytest.mark.parametrize(
    ("codec", "source", "expected"),
    [
        ("ffv1", "yuvj420p", "yuv420p"),
        ("libx264", "yuv420p10le", "yuv420p10le"),
        ("libx264", "nv12", "yuv420p"),
        ("libx264", "yuv444p12le", "yuv444p10le"),
        ("libx264", "yuv411p", "yuv422p"),
        ("libx265", "yuv422p12le", "yuv422p12le"),
        ("libvpx-vp9", "yuv440p", "yuv440p"),
        ("prores_ks", "yuv420p", "yuv422p10le"),
        ("prores_ks", "yuv444p", "yuv444p10le"),
    ],
)
def test_the_nearest_form_has_no_fewer_bits_and_samples(codec: str, source: str, expected: str) -> None:
    known = [pixels.name for pixels in av.Codec(codec, "w").video_formats or []]
    assert nearest(known, av.VideoFormat(source)) == expected


@pytest.mark.parametrize(
    ("pixels", "suffix", "codec", "notes"),
    [
        ("yuv420p10le", ".webm", None, []),
        ("yuv420p12le", ".webm", None, ["its 12 bits become 10: libsvtav1 takes no more"]),
        ("yuv420p10le", ".webm", "libvpx-vp9", ["its 10 bits become 8: libvpx-vp9 takes no more"]),
        ("yuv444p10le", ".webm", None, ["its chroma of 4:4:4 becomes 4:2:0: libsvtav1"]),
        ("yuv422p12le", ".mp4", "libx265", []),
    ],
)
def test_what_an_encoder_does_not_take_is_told_before_the_work(
    tmp_path: Path, pixels: str, suffix: str, codec: str | None, notes: list[str]
) -> None:
    y, x = np.mgrid[:64, :96]
    wave = (400 + 200 * np.sin(x / 9 + y / 7)).astype(np.uint16)
    planes = [wave[: one.shape[0], : one.shape[1]] for one in read_planes(av.VideoFrame(96, 64, pixels))]
    _write(tmp_path / "in.mkv", [planes], pixels, LIMITED, BT709)
    medium = _pass(tmp_path / "in.mkv", tmp_path / f"out{suffix}", codec)
    told = [note.removeprefix(f"{tmp_path / 'in.mkv'}: ") for note in medium.notes]
    assert [note.partition(" (")[0] for note in told] == notes
    first, (found,) = _read(tmp_path / f"out{suffix}")
    if not notes:
        assert first.format.name == pixels
        assert np.abs(found[0].astype(int) - planes[0]).mean() < 2 ** first.format.components[0].bits / 500


@pytest.mark.parametrize(("low", "high"), [(True, False), (False, True)])
def test_where_clipping_is_undone_frames_are_clipped_as_footage_to_train_on(
    tmp_path: Path, low: bool, high: bool
) -> None:
    seen = []

    class Watched(Unclipped):
        def __call__(self, frames: Any, progress: Any = None, sigma: Any = None, colours: bool = True) -> Any:
            for frame in frames:
                seen.append(frame)
                yield frame

    denoise: Any = Watched.__new__(Watched)
    denoise.radius, denoise.clipping = 0, Clipping(0.0, 0.01, low=low, high=high)
    _write(tmp_path / "in.mkv", _random("yuv444p"), "yuv444p", LIMITED, BT709)
    _pass(tmp_path / "in.mkv", tmp_path / "out.mkv", "ffv1", Kept(denoise))  # as `choose_denoise` makes it
    assert (seen[0].min() == 0, seen[0].max() == 1) == (low, high)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("color_range", [LIMITED, FULL])
def test_lossy_encoders_keep_the_means(tmp_path: Path, suffix: str, color_range: int) -> None:
    y, x = np.mgrid[:48, :64]
    wave = (8 + 240 * (0.5 + 0.5 * np.sin(x / 9 + y / 7))).astype(np.uint8)  # beyond black and white
    planes = [wave, wave[::2, ::2] // 4 + 96, 160 - wave[::2, ::2] // 4]
    _write(tmp_path / "in.mkv", [planes], "yuv420p", color_range, BT601)
    _pass(tmp_path / "in.mkv", tmp_path / f"out{suffix}")
    (found,) = _read(tmp_path / f"out{suffix}")[1]
    for plane, expected in zip(found, planes, strict=True):
        assert plane.mean() == pytest.approx(expected.mean(), abs=0.3)


@pytest.mark.parametrize("name", ["testvid_1022ms.mp4", "sample_gamma2.2.mp4", "bear-vp9-odd-dimensions.webm"])
def test_real_videos_keep_their_codes(tmp_path: Path, odd: Path, name: str) -> None:
    source = odd / "video" / name
    _pass(source, tmp_path / "out.mkv", "ffv1")
    for one, other in zip(_read(tmp_path / "out.mkv")[1], _read(source)[1], strict=True):
        for plane, expected in zip(one, other, strict=True):
            np.testing.assert_array_equal(plane, expected)
