"""OME-TIFF files that are parts of a series: each is what it holds, and says so."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from self2align.images.ome import open_alone, stand_alone
from self2align.sources.source import Selection
from self2align.sources.stack import Stack, read_stack

SIDE = 40
_OTHER = '<Value><a xmlns="">x &amp; y</a></Value>'


def _xml(files: int, frames: int, channels: int, mine: int, identified: bool = True) -> str:
    """OME-XML of frames that lie in files one after the other."""
    each = frames // files
    places = [(t, c) for t in range(frames) for c in range(channels)]
    data = "".join(
        f'<TiffData FirstT="{t}" FirstC="{c}" FirstZ="0" IFD="{t % each * channels + c}" PlaneCount="1">'
        f'<UUID FileName="part{t // each}.ome.tif">urn:uuid:{t // each}</UUID></TiffData>'
        for t, c in places
    )
    planes = "".join(f'<Plane TheT="{t}" TheC="{c}" TheZ="0" DeltaT="{t / 10}"/>' for t, c in places)
    names = "".join(f'<Channel ID="Channel:0:{c}" Name="c{c}"/>' for c in range(channels))
    return (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        'xmlns:SA="http://www.openmicroscopy.org/Schemas/SA/2016-06"'
        + (f' UUID="urn:uuid:{mine}"' if identified else "")
        + '><!-- of a cell --><Image ID="Image:0" Name="cell"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" '
        f'Type="uint16" SizeX="{SIDE}" SizeY="{SIDE}" SizeZ="1" SizeC="{channels}" SizeT="{frames}" '
        f'PhysicalSizeX="0.1">{names}{data}{planes}</Pixels></Image>'
        f"<SA:StructuredAnnotations><SA:XMLAnnotation>{_OTHER}</SA:XMLAnnotation></SA:StructuredAnnotations></OME>"
    )


def _pages(count: int, seed: int = 0) -> NDArray[np.uint16]:
    return np.random.default_rng(seed).integers(0, 4096, (count, SIDE, SIDE)).astype(np.uint16)


def _write(path: Path, pages: NDArray[np.uint16], xml: str) -> None:
    with tifffile.TiffWriter(path) as out:
        for number, page in enumerate(pages):
            text = xml if number == 0 else None
            out.write(page, photometric="minisblack", description=text, metadata=None, contiguous=False)


def _apart(path: Path) -> str | None:
    """Return what training says of a file beside its axes."""
    source = Stack(path, Selection())
    return source.check(source.units()[0]).partition("uint16")[2].removeprefix("; ") or None


@pytest.mark.parametrize("mine", [0, 1])
@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize("identified", [True, False])
def test_half_a_series_is_that_half(tmp_path: Path, mine: int, both: bool, identified: bool) -> None:
    stacks = [_pages(4, 0), _pages(4, 1)]
    for number in (0, 1) if both else (mine,):
        _write(tmp_path / f"part{number}.ome.tif", stacks[number], _xml(2, 8, 1, number, identified))
    path = tmp_path / f"part{mine}.ome.tif"
    np.testing.assert_array_equal(read_stack(path)[0][:, 0], stacks[mine])
    assert _apart(path) == (
        f"holds 4 of 8 planes (T {4 * mine} to {4 * mine + 3}) of its OME series (the rest in part{1 - mine}.ome.tif); "
        "it is read alone"
    )


def test_a_folder_of_both_halves_has_each_frame_once(tmp_path: Path) -> None:
    stacks = [_pages(4, 0), _pages(4, 1)]
    for number, pages in enumerate(stacks):
        _write(tmp_path / f"part{number}.ome.tif", pages, _xml(2, 8, 1, number))
    source = Stack(tmp_path, Selection(color="gray"))
    scenes = [scene for unit in source.units() for scene in source.read(unit)]
    np.testing.assert_array_equal([scene.frames[:, 0] for scene in scenes], stacks)


def test_what_the_xml_says_besides_stays(tmp_path: Path) -> None:
    path = tmp_path / "part1.ome.tif"
    alone = stand_alone(path, _xml(2, 4, 2, 1), 4)
    assert alone.xml is not None
    assert "<!-- of a cell -->" in alone.xml
    assert _OTHER in alone.xml
    assert "<SA:XMLAnnotation>" in alone.xml
    assert "UUID" not in alone.xml
    root = ElementTree.fromstring(alone.xml)
    (pixels,) = (node for node in root.iter() if node.tag.endswith("Pixels"))
    assert {name: pixels.get(name) for name in ("SizeC", "SizeT", "SizeZ", "PhysicalSizeX")} == {
        "SizeC": "2",
        "SizeT": "2",
        "SizeZ": "1",
        "PhysicalSizeX": "0.1",
    }
    planes = [(node.get("TheT"), node.get("TheC"), node.get("DeltaT")) for node in pixels if node.get("DeltaT")]
    assert planes == [("0", "0", "0.2"), ("0", "1", "0.2"), ("1", "0", "0.3"), ("1", "1", "0.3")]


def test_one_channel_of_a_series_keeps_its_name(tmp_path: Path) -> None:
    xml = _xml(1, 3, 2, 0).replace('FileName="part0.ome.tif">urn:uuid:0', 'FileName="a.tif">urn:uuid:0')
    other = '<UUID FileName="b.tif">urn:uuid:9</UUID>'
    for t in range(3):
        xml = xml.replace(
            f'FirstT="{t}" FirstC="0" FirstZ="0" IFD="{2 * t}" PlaneCount="1"><UUID FileName="a.tif">urn:uuid:0</UUID>',
            f'FirstT="{t}" FirstC="0" FirstZ="0" IFD="{t}" PlaneCount="1">{other}',
        ).replace(f'FirstC="1" FirstZ="0" IFD="{2 * t + 1}"', f'FirstC="1" FirstZ="0" IFD="{t}"')
    _write(tmp_path / "a.tif", _pages(3), xml)
    file, alone = open_alone(tmp_path / "a.tif")
    with file:
        assert (file.series[0].axes, file.series[0].shape) == ("TYX", (3, SIDE, SIDE))
    assert alone is not None
    assert alone.xml is not None
    assert 'Name="c1"' in alone.xml
    assert 'Name="c0"' not in alone.xml


@pytest.mark.parametrize(("pages", "frames"), [(7, 3), (5, 2), (4, 2)])
def test_of_a_recording_that_was_stopped_the_whole_moments_count(tmp_path: Path, pages: int, frames: int) -> None:
    xml = _xml(1, 8, 2, 0)
    stack = _pages(pages)
    _write(tmp_path / "part0.ome.tif", stack, xml)
    file, alone = open_alone(tmp_path / "part0.ome.tif")
    with file:
        assert file.series[0].axes == "TCYX"
        np.testing.assert_array_equal(file.series[0].asarray().reshape(-1, SIDE, SIDE), stack[: 2 * frames])
    assert alone is not None
    assert (
        alone.apart == f"holds {pages} of 16 planes (T 0 to {frames - 1}, C 0 to 1) of its OME series; it is read alone"
    )


@pytest.mark.parametrize("present", [True, False])
def test_a_file_whose_xml_is_in_another(tmp_path: Path, present: bool) -> None:
    only = (
        '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><BinaryOnly MetadataFile="all.companion.ome" '
        'UUID="urn:uuid:1"/></OME>'
    )
    stack = _pages(4)
    _write(tmp_path / "part1.ome.tif", stack, only)
    if present:
        (tmp_path / "all.companion.ome").write_text(_xml(2, 8, 1, 77))
    np.testing.assert_array_equal(read_stack(tmp_path / "part1.ome.tif")[0][:, 0], stack)
    told = _apart(tmp_path / "part1.ome.tif")
    expected = "4 of 8 planes (T 4 to 7)" if present else "a part"
    assert (told or "").startswith(f"holds {expected} of its OME series (the rest in ")


def test_a_renamed_file_is_whole(tmp_path: Path) -> None:
    stack = _pages(4)
    for identified in (True, False):
        _write(tmp_path / "other.ome.tif", stack, _xml(1, 4, 1, 0, identified))
        np.testing.assert_array_equal(read_stack(tmp_path / "other.ome.tif")[0][:, 0], stack)
        assert _apart(tmp_path / "other.ome.tif") is None


def test_a_file_that_names_no_other_keeps_its_xml_to_the_byte(tmp_path: Path) -> None:
    xml = _xml(1, 4, 1, 0, identified=False).replace('<UUID FileName="part0.ome.tif">urn:uuid:0</UUID>', "")
    assert stand_alone(tmp_path / "a.tif", xml, 4).xml == xml


@pytest.mark.parametrize("harm", ['SizeT="many"', 'SizeT="-3"', 'SizeT="'])
def test_broken_xml_is_one_line(tmp_path: Path, harm: str) -> None:
    _write(tmp_path / "part0.ome.tif", _pages(2), _xml(2, 4, 1, 0).replace('SizeT="4"', harm))
    with pytest.raises(ValueError, match=r"part0\.ome\.tif: found .*expected") as told:
        read_stack(tmp_path / "part0.ome.tif")
    assert "\n" not in str(told.value)


def test_the_work_grows_with_the_number_of_planes_and_no_faster(tmp_path: Path) -> None:
    from time import process_time

    def seconds(frames: int) -> float:
        xml, best = _xml(2, frames, 1, 0), np.inf
        for _ in range(2):
            start = process_time()
            stand_alone(tmp_path / "part0.ome.tif", xml, frames // 2)
            best = min(best, process_time() - start)
        return float(best)

    assert seconds(4000) < 16 * seconds(500)
