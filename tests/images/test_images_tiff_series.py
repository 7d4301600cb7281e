"""Footage that a file describes as several series, pages beside it, and samples beside its colours."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from self2align.images.files import check_image, read_image
from self2align.media.medium import Choices
from self2align.media.tiff import TiffStack
from self2align.sources.folder import Folder
from self2align.sources.images import Images
from self2align.sources.source import Selection
from self2align.sources.stack import Stack, count_frames, read_stack
from tests.images.stacks import MINIS, H, W, denoised, layout, values, write
from tests.media.running import Run

Pages = Sequence[NDArray[Any]]
Writer = Callable[[Path, NDArray[Any]], None]


def _each(opened: dict[str, Any] | None = None, size: int = 0, **told: Any) -> Writer:
    """Return a writer of frame by frame, or of so many at a time."""

    def write(path: Path, data: NDArray[Any]) -> None:
        with tifffile.TiffWriter(path, **(opened or {})) as file:
            for at in range(0, len(data), size or 1):
                file.write(data[at : at + size] if size else data[at], **told)

    return write


def _appended(path: Path, data: NDArray[Any]) -> None:
    for frame in data:
        tifffile.imwrite(path, frame, append=path.exists())


def _opencv(path: Path, data: NDArray[Any]) -> None:
    cv2.imwritemulti(str(path), list(data))


def _pillow(path: Path, data: NDArray[Any]) -> None:
    first, *rest = [Image.fromarray(frame) for frame in data]
    first.save(path, save_all=True, append_images=rest)


def _concatenated(path: Path, data: NDArray[Any]) -> None:
    """Write files of a frame each, one behind the other with their descriptions, as libtiff's tiffcp does."""
    with tifffile.TiffWriter(path) as file:
        for frame in data:
            told = f'{{"shape": [{H}, {W}]}}'
            file.write(frame, photometric="minisblack", description=told, metadata=None, contiguous=False)


STREAMS: dict[str, Writer] = {
    "plain": _each(),
    "minisblack": _each(photometric="minisblack"),
    "lzw": _each(compression="lzw"),
    "tiled": _each(tile=(16, 16)),
    "leading-axis": _each(size=1),
    "chunks": _each(size=5, photometric="minisblack"),
    "named": _each(metadata={"axes": "YX", "name": "a"}),
    "ome": _each({"ome": True}),
    "big": _each({"bigtiff": True, "byteorder": ">"}),
    "appended": _appended,
    "opencv": _opencv,
    "pillow": _pillow,
    "concatenated": _concatenated,
}


@pytest.mark.parametrize("count", [2, 6])
@pytest.mark.parametrize("stream", STREAMS)
def test_frames_that_were_written_one_by_one_are_one_stack(tmp_path: Path, stream: str, count: int) -> None:
    data = values((count, H, W))
    STREAMS[stream](tmp_path / "in.tif", data)
    assert count_frames(tmp_path / "in.tif") == count
    np.testing.assert_array_equal(read_stack(tmp_path / "in.tif")[0][:, 0], data)
    np.testing.assert_array_equal(denoised(tmp_path / "in.tif")[:, 0], data)
    assert not layout(tmp_path / "in.tif").rivals
    with pytest.raises(ValueError, match=rf"in\.tif: found {count} images in one file"):
        check_image(tmp_path / "in.tif")


@pytest.mark.parametrize("stream", STREAMS)
def test_frames_that_were_written_one_by_one_are_all_denoised(tmp_path: Path, stream: str) -> None:
    data = values((6, H, W))
    STREAMS[stream](tmp_path / "in.tif", data)
    run = Run(1)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert len(run.seen) == 6
    with tifffile.TiffFile(tmp_path / "in.tif") as before, tifffile.TiffFile(tmp_path / "out.tif") as after:
        np.testing.assert_array_equal([page.asarray() for page in after.pages], data)
        told = [[(series.kind, series.axes) for series in file.series] for file in (before, after)]
    assert told[0] == told[1]


def test_colour_frames_that_were_written_one_by_one_are_one_stack(tmp_path: Path) -> None:
    data = values((5, H, W, 3), "uint8")
    _each(photometric="rgb")(tmp_path / "pixel.tif", data)
    planes = np.ascontiguousarray(data.transpose(0, 3, 1, 2))
    _each(photometric="rgb", planarconfig="separate")(tmp_path / "plane.tif", planes)
    for name in ("pixel.tif", "plane.tif"):
        np.testing.assert_array_equal(read_stack(tmp_path / name)[0], planes)
        np.testing.assert_array_equal(denoised(tmp_path / name), planes)
    assert "; 5 series of the file are alike and taken for one" in layout(tmp_path / "plane.tif").describe(tmp_path)


def test_a_thumbnail_beside_frames_that_were_written_one_by_one(tmp_path: Path) -> None:
    data = values((4, H, W))
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        for at, frame in enumerate(data):
            file.write(frame)
            if at == 1:
                file.write(frame[::2, ::2])
    np.testing.assert_array_equal(denoised(tmp_path / "in.tif")[:, 0], data)
    found = layout(tmp_path / "in.tif")
    assert (found.numbers, found.others, found.rivals) == ((0, 1, 3, 4), (2,), ())


def test_a_second_series_with_axes_of_its_own_is_left_out_aloud(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        for size in (5, 3):
            file.write(values((size, H, W)), metadata={"axes": "TYX"}, photometric="minisblack")
    line = "; pages 5, 6, 7 may be footage as well and are no part of it"
    assert line in TiffStack(tmp_path / "in.tif", tmp_path / "out.tif", Choices(1)).reading
    assert line in Stack(tmp_path / "in.tif", Selection()).check("in")


# A page that lies beside a picture -> whether it may be a picture, too.
BESIDE: dict[str, tuple[NDArray[Any], dict[str, Any], bool]] = {
    "another-type": (values((H, W), "uint8"), MINIS, True),
    "colour": (values((H, W, 3), "uint8"), {"photometric": "rgb"}, True),
    "turned": (values((W, H)), MINIS, True),
    "larger": (values((2 * H, W)), MINIS, True),
    "palette": (values((H, W), "uint8"), {"photometric": "palette", "colormap": np.zeros((3, 256), np.uint16)}, True),
    "thumbnail": (values((H // 2, W // 2)), MINIS, False),
    "level": (values((H, W - 1)), {**MINIS, "subfiletype": 1}, False),
    "mask": (values((H, W), "uint8"), {**MINIS, "subfiletype": 1}, False),
}


@pytest.mark.parametrize("told", [{"metadata": None}, {}], ids=["plain", "shaped"])
@pytest.mark.parametrize("beside", BESIDE)
def test_a_picture_file_of_several_pictures_is_refused(tmp_path: Path, beside: str, told: dict[str, Any]) -> None:
    other, how, rival = BESIDE[beside]
    data = values((H, W))
    with tifffile.TiffWriter(tmp_path / "in.tif") as file:
        file.write(data, photometric="minisblack", **told)
        file.write(other, **how, **told)
    if beside == "mask":  # GDAL's, which tifffile does not write
        with tifffile.TiffFile(tmp_path / "in.tif", mode="r+") as held:
            page = held.pages[1]
            assert isinstance(page, tifffile.TiffPage)
            page.tags["NewSubfileType"].overwrite(4)
    if not rival:
        assert check_image(tmp_path / "in.tif") == data.shape
        np.testing.assert_array_equal(read_image(tmp_path / "in.tif")[0][0], data)
        return
    for read in (check_image, read_image):
        with pytest.raises(ValueError, match=r"in\.tif: found further images in one file \(pages [01]\), expected one"):
            read(tmp_path / "in.tif")


def test_remarks_on_pictures_are_said(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.tif", values((3, H, W), "uint8"))
    write(tmp_path / "c.tif", values((H, W, 3), "uint8"), photometric="rgb")
    remark = ": its three planes are taken for RGB; if they are gray frames, axes (--axes) TYX says so"
    folder, images = Folder(tmp_path, Selection()), Images(tmp_path, Selection())
    assert folder.check(folder.units()[0]) == f"{tmp_path / 'a.tif'} and 1 more{remark}"
    assert [images.check(name) for name in "abc"] == [f"{tmp_path / name}.tif{remark}" for name in "ab"] + [""]


# Samples of a pixel beside RGB -> how many channels it has.
SAMPLES: dict[str, tuple[tuple[str, ...], int]] = {
    "infrared": (("unspecified",), 4),
    "five": (("unspecified", "unspecified"), 5),
    "alpha": (("unassalpha",), 3),
    "premultiplied": (("assocalpha",), 3),
    "infrared-and-alpha": (("unspecified", "unassalpha"), 4),
}


@pytest.mark.parametrize("planar", [True, False])
@pytest.mark.parametrize("kind", SAMPLES)
def test_only_alpha_is_no_channel(tmp_path: Path, kind: str, planar: bool) -> None:
    extra, channels = SAMPLES[kind]
    data = values((2, 3 + len(extra), H, W))
    config = {"planarconfig": "separate" if planar else "contig"}
    stored = data if planar else data.transpose(0, 2, 3, 1)
    write(tmp_path / "in.tif", stored, photometric="rgb", extrasamples=extra, metadata=None, **config)
    if channels == 3:
        np.testing.assert_array_equal(read_stack(tmp_path / "in.tif")[0], data[:, :3])
        np.testing.assert_array_equal(denoised(tmp_path / "in.tif"), data[:, :3])
    else:
        with pytest.raises(ValueError, match=rf"{channels} S.*, expected 1 or 3 channels"):
            read_stack(tmp_path / "in.tif")
        np.testing.assert_array_equal(denoised(tmp_path / "in.tif"), data[:, :channels])


def test_alpha_before_other_samples_is_refused(tmp_path: Path) -> None:
    extra = ("unassalpha", "unspecified")
    write(tmp_path / "in.tif", values((H, W, 5)), photometric="rgb", planarconfig="contig", extrasamples=extra)
    for read in (read_stack, denoised):
        with pytest.raises(ValueError, match=r"in\.tif: found in page 0 alpha before other samples of a pixel"):
            read(tmp_path / "in.tif")


@pytest.mark.parametrize("axes", ["YXC", "YXS"])
def test_alpha_is_no_channel_by_whatever_letter(tmp_path: Path, axes: str) -> None:
    data = values((H, W, 4), "uint8")
    write(tmp_path / "in.tif", data, photometric="rgb", extrasamples=["unassalpha"])
    np.testing.assert_array_equal(denoised(tmp_path / "in.tif", axes)[0], data[..., :3].transpose(2, 0, 1))
    remark = "the last of its 4 samples is alpha and no channel"
    assert (remark in layout(tmp_path / "in.tif", axes).remarks) == (axes == "YXC")
    # Frames that tifffile.imwrite took for RGB with alpha.
    np.testing.assert_array_equal(read_stack(tmp_path / "in.tif", axes="YXT")[0][:, 0], data.transpose(2, 0, 1))


@pytest.mark.parametrize("count", [1, 3])
def test_a_fourth_sample_of_which_nothing_is_said_is_pointed_out(tmp_path: Path, count: int) -> None:
    data = values((count, H, W, 4), "uint8")
    cv2.imwritemulti(str(tmp_path / "in.tif"), list(data[..., [2, 1, 0, 3]]))
    channels = data.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(read_stack(tmp_path / "in.tif")[0], channels[:, :3])
    remark = "its fourth sample is taken for alpha; if it is a channel, axes (--axes) "
    axes = "YXC" if count == 1 else "IYXC"
    assert Stack(tmp_path / "in.tif", Selection()).check("in").endswith(f"{remark}{axes} says so")
    assert remark in TiffStack(tmp_path / "in.tif", tmp_path / "out.tif", Choices(1)).reading
    np.testing.assert_array_equal(denoised(tmp_path / "in.tif", axes).reshape(channels.shape), channels)


@pytest.mark.parametrize("count", [2, 3, 4, 5])
@pytest.mark.parametrize("told", [{}, {"metadata": {"axes": "CYX"}}], ids=["untold", "channels"])
def test_few_pages_that_imagej_may_call_channels_are_pointed_out(
    tmp_path: Path, count: int, told: dict[str, Any]
) -> None:
    write(tmp_path / "in.tif", values((count, H, W)), imagej=True, **told)
    remark = "if they are channels of one moment, axes (--axes) CYX says so"
    for line in (
        Stack(tmp_path / "in.tif", Selection()).check("in"),
        TiffStack(tmp_path / "in.tif", tmp_path / "out.tif", Choices(1)).reading,
    ):
        assert line.endswith(remark) == (count < 5)
    assert layout(tmp_path / "in.tif", "CYX").axes.channels == count


@pytest.mark.parametrize(
    ("shape", "told"),
    [((48, 56, 5), {}), ((48, 56, 9), {}), ((48, 56, 5), {"imagej": True}), ((48, 56, 9, 3), {"photometric": "rgb"})],
)
def test_axes_that_hardly_are_rows_and_columns_are_asked_for(
    tmp_path: Path, shape: tuple[int, ...], told: dict[str, Any]
) -> None:
    data = values(shape, "uint8")
    write(tmp_path / "in.tif", data, **told)
    for read in (read_stack, denoised):
        with pytest.raises(ValueError, match=r"in\.tif: found an array of shape \(48, 56, [59]\) .*, expected axes"):
            read(tmp_path / "in.tif")
    axes = "YXTS"[: data.ndim]
    assert denoised(tmp_path / "in.tif", axes).shape == (shape[2], 3 if data.ndim > 3 else 1, 48, 56)
    assert layout(tmp_path / "in.tif", axes).axes.count == shape[2]
