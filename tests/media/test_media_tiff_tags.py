"""Tags of TIFF files in the result: each value as it was, or a line, or neither where it would be false."""

import struct
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray
from PIL import Image

from self2align.media import tiff_writing
from tests.media.running import Run

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
Tag = tuple[int, int, int, bytes]  # code, type, count, value


@pytest.fixture(scope="module")
def run() -> Run:
    """A denoiser of gray that changes nothing, made once."""
    return Run()


def _frame() -> NDArray[np.uint16]:
    return np.random.default_rng(0).integers(0, 65535, (16, 20)).astype(np.uint16)


def _directory(tags: list[Tag], at: int, order: str, big: bool, directories: dict[int, list[Tag]]) -> bytes:
    """A directory as it lies at a place: a writer of its own, which knows what the specification says."""
    width, letter = (8, "Q") if big else (4, "I")
    tags = sorted(tags)
    head = struct.pack(f"{order}{'Q' if big else 'H'}", len(tags))
    free = at + len(head) + len(tags) * (4 + 2 * width) + width
    body = b""
    for code, dtype, count, value in tags:
        if code in directories:
            field = struct.pack(f"{order}{letter}", free + len(body))
            body += _directory(directories[code], free + len(body), order, big, directories)
        elif len(value) > width:
            field = struct.pack(f"{order}{letter}", free + len(body))
            body += value
        else:
            field = value.ljust(width, b"\0")
        head += struct.pack(f"{order}HH{letter}", code, dtype, count) + field
    return head + bytes(width) + body


def _write(
    path: Path, tags: list[Tag], order: str = "<", big: bool = False, directories: dict[int, list[Tag]] | None = None
) -> None:
    """Write a gray picture of 16 bits with tags."""
    pixels = _frame().astype(f"{order}u2").tobytes()
    start = 16 if big else 8
    place = struct.pack(f"{order}{'Q' if big else 'I'}", start)
    layout = [(256, 20), (257, 16), (258, 16), (259, 1), (262, 1), (277, 1), (278, 16)]
    own: list[Tag] = [(code, 3, 1, struct.pack(f"{order}H", value)) for code, value in layout]
    own += [(273, 16 if big else 4, 1, place), (279, 4, 1, struct.pack(f"{order}I", len(pixels)))]
    at = start + len(pixels)
    marks = {"<": b"II", ">": b"MM"}[order]
    head = struct.pack(f"{order}HHHQ", 43, 8, 0, at) if big else struct.pack(f"{order}HI", 42, at)
    path.write_bytes(marks + head + pixels + _directory(own + tags, at, order, big, directories or {}))


def _entries(path: Path, at: int | None = None) -> dict[int, tuple[int, int, bytes]]:
    """Type, count and bytes of each tag of a directory; the first of the file without a place."""
    data = path.read_bytes()
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    width, letter = (8, "Q") if big else (4, "I")
    if at is None:
        (at,) = struct.unpack_from(order + letter, data, 8 if big else 4)
    (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, at)
    found = {}
    for number in range(count):
        entry = at + (8 if big else 2) + number * (4 + 2 * width)
        code, dtype, values = struct.unpack_from(f"{order}HH{letter}", data, entry)
        place = entry + 4 + width
        if SIZES[dtype] * values > width:
            (place,) = struct.unpack_from(order + letter, data, place)
        found[code] = (dtype, values, data[place : place + SIZES[dtype] * values])
    return found


def _pointed(path: Path, at: int | None, code: int) -> int:
    order = "little" if path.read_bytes()[:2] == b"II" else "big"
    return int.from_bytes(_entries(path, at)[code][2], order)  # type: ignore[arg-type]


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_type_keeps_count_and_value(tmp_path: Path, run: Run, order: str, big: bool) -> None:
    tags: list[Tag] = []
    for dtype, size in SIZES.items():
        if dtype in (13, 18) or (dtype > 13 and not big):
            continue
        for count in (1, 2, 3, 4, 5, 8, 9, 100):
            value = np.random.default_rng(dtype * count).bytes(size * count)
            if dtype == 2:
                value = b"x" * (count - 1) + b"\0"
            tags.append((60000 + len(tags), dtype, count, value))
    _write(tmp_path / "in.tif", tags, order, big)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    found = _entries(tmp_path / "out.tif")
    for code, dtype, count, value in tags:
        assert found[code] == (dtype, count, value), code
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), _frame())
    assert run.notes == []


@pytest.mark.parametrize("code", [700, 33723, 34377, 37706, 50839])
@pytest.mark.parametrize("count", [1, 4, 9])
def test_tags_that_tifffile_reads_in_its_own_way(tmp_path: Path, run: Run, code: int, count: int) -> None:
    _write(tmp_path / "in.tif", [(code, 7, count, b"abcdefghi"[:count])])
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert _entries(tmp_path / "out.tif")[code] == (7, count, b"abcdefghi"[:count])


def _exif(order: str) -> list[Tag]:
    return [
        (33434, 5, 1, struct.pack(f"{order}II", 10, 5000)),  # not reduced
        (36864, 7, 4, b"0231"),
        (37386, 10, 1, struct.pack(f"{order}ii", -50, 10)),
        (37510, 7, 13, b"ASCII\0\0\0hello"),
        (40961, 3, 1, struct.pack(f"{order}H", 1)),
    ]


def _gps(order: str) -> list[Tag]:
    return [(1, 2, 2, b"N\0"), (2, 5, 3, struct.pack(f"{order}6I", 48, 1, 30, 1, 0, 1))]


INTEROPERABILITY: list[Tag] = [(1, 2, 4, b"R98\0")]


# The source is classic or big; the result is big as well, or because its pixels need it.
@pytest.mark.parametrize(("big", "grown"), [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_and_gps_are_written_to_the_byte(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch, order: str, big: bool, grown: bool
) -> None:
    if grown:
        monkeypatch.setattr(tiff_writing, "_BIG", 100)
    exif_tags, gps_tags = _exif(order), _gps(order)
    pointer = (16 if big else 4, 1, b"")
    directories = {34665: [*exif_tags, (40965, *pointer)], 34853: gps_tags, 40965: INTEROPERABILITY}
    _write(tmp_path / "in.tif", [(34665, *pointer), (34853, *pointer)], order, big, directories)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    out = tmp_path / "out.tif"
    pointers = {code: told[:2] for code, told in _entries(out).items() if code in directories}
    assert pointers == dict.fromkeys((34665, 34853), (16 if big or grown else 4, 1))
    exif = _pointed(out, None, 34665)
    found = _entries(out, exif)
    assert {code: (dtype, count, value) for code, dtype, count, value in exif_tags} == {
        code: told for code, told in found.items() if code != 40965
    }
    assert found[40965][:2] == (16 if big or grown else 4, 1)
    assert _entries(out, _pointed(out, None, 34853)) == {code: tuple(told) for code, *told in gps_tags}
    assert _entries(out, _pointed(out, exif, 40965)) == {1: (2, 4, b"R98\0")}
    assert run.notes == []
    with tifffile.TiffFile(out) as file:  # as another reader has it
        page = file.pages[0]
        assert isinstance(page, tifffile.TiffPage)
        assert file.is_bigtiff == (big or grown)
        assert page.tags[34665].value["ExposureTime"] == (10, 5000)
    if order == "<":  # Pillow reads no big-endian BigTIFF
        with Image.open(out) as image:
            assert float(image.getexif().get_ifd(34665)[33434]) == 10 / 5000
            assert [float(value) for value in image.getexif().get_ifd(34853)[2]] == [48, 30, 0]


@pytest.mark.parametrize(("record", "kept"), [(b"Nikon\0\2inside", True), (b"Canon of old", False)])
def test_records_of_cameras_are_kept_where_they_can_be_moved(
    tmp_path: Path, run: Run, record: bytes, kept: bool
) -> None:
    directories = {34665: [*_exif("<"), (37500, 7, len(record), record)]}
    _write(tmp_path / "in.tif", [(34665, 4, 1, b"")], directories=directories)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    found = _entries(tmp_path / "out.tif", _pointed(tmp_path / "out.tif", None, 34665))
    assert (37500 in found) == kept
    assert ("the camera's own record" in "".join(run.notes)) == (not kept)


@pytest.mark.parametrize("at", [0, 7, 10**9, 8])
def test_a_directory_that_is_none_is_said(tmp_path: Path, run: Run, at: int) -> None:
    _write(tmp_path / "in.tif", [(34853, 4, 1, struct.pack("<I", at))])
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert run.notes == [f"{tmp_path / 'in.tif'}: not written: its GPS data, which are broken"]
    assert 34853 not in _entries(tmp_path / "out.tif")


@pytest.mark.parametrize(
    ("code", "dtype", "name"),
    [
        (34361, 7, "FluoView's header (valid only within that file)"),
        (37724, 7, "the layers of Photoshop (valid only within that file)"),
        (33560, 4, "Olympus' record (valid only within that file)"),
        (65000, 13, "tag 65000 (valid only within that file)"),
        (65000, 99, "tag 65000, of which no value can be read"),
    ],
)
def test_places_in_the_source_are_never_copied(tmp_path: Path, run: Run, code: int, dtype: int, name: str) -> None:
    _write(tmp_path / "in.tif", [(code, dtype, 1, struct.pack("<I", 8)), (315, 2, 3, b"me\0")])
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert run.notes == [f"{tmp_path / 'in.tif'}: not written: {name}"]
    found = _entries(tmp_path / "out.tif")
    assert code not in found
    assert found[315] == (2, 3, b"me\0")


def test_statistics_of_the_old_pixels_are_not_copied(tmp_path: Path, run: Run) -> None:
    scale = (33550, 12, 3, struct.pack("<3d", 0.5, 0.5, 0))
    mean = b'  <Item name="STATISTICS_MEAN" sample="0">9</Item>\n'
    text = b"<GDALMetadata>\n" + mean + b'  <Item name="a">b</Item>\n</GDALMetadata>\0'
    _write(tmp_path / "in.tif", [scale, (42112, 2, len(text), text)])
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    found = _entries(tmp_path / "out.tif")
    assert found[33550] == scale[1:]
    assert found[42112][2] == b'<GDALMetadata>\n  <Item name="a">b</Item>\n</GDALMetadata>\0'


@pytest.mark.parametrize("compression", ["lzw", "zstd", "packbits", "lzma", "zlib"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_compression_without_loss_stays_what_it_is(tmp_path: Path, run: Run, compression: str, dtype: str) -> None:
    data = (_frame() / 65535 * (1 if dtype == "float32" else 250)).astype(dtype)
    predictor = compression != "packbits"
    tifffile.imwrite(tmp_path / "in.tif", data, photometric="minisblack", compression=compression, predictor=predictor)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "in.tif") as before, tifffile.TiffFile(tmp_path / "out.tif") as after:
        pages = before.pages[0], after.pages[0]
        assert all(isinstance(page, tifffile.TiffPage) for page in pages)
        one, two = ((page.compression, page.predictor) for page in pages if isinstance(page, tifffile.TiffPage))
        assert one == two
        np.testing.assert_allclose(after.asarray(), data, atol=2.0**-22 if dtype == "float32" else 0)
    assert run.notes == []


def test_counts_of_imagej_that_do_not_hold_are_put_right(tmp_path: Path, run: Run) -> None:
    text = "ImageJ=1.53t\nimages=9\nslices=9\nunit=um\nmin=3.0\n"
    stack = np.stack([_frame()] * 3)
    tifffile.imwrite(tmp_path / "in.tif", stack, photometric="minisblack", description=text, metadata=None)
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    with tifffile.TiffFile(tmp_path / "out.tif") as file:
        assert (file.imagej_metadata or {}) | {"min": 0} == {"ImageJ": "1.53t", "images": 3, "unit": "um", "min": 0}
        assert file.series[0].shape == (3, 16, 20)


def test_a_stack_that_lists_one_page_says_so_no_more(tmp_path: Path, run: Run) -> None:
    stack = np.stack([_frame()] * 3)
    tifffile.imwrite(tmp_path / "in.tif", stack, truncate=True, photometric="minisblack")
    run(tmp_path / "in.tif", tmp_path / "out.tif")
    assert b"truncated" not in (tmp_path / "out.tif").read_bytes()
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), stack)
