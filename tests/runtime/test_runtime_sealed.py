"""Parts of unfinished work: whole and in their place, or made again."""

from pathlib import Path

import numpy as np
import pytest

from self2align.runtime.sealed import is_whole, read_sealed, save_array, write_sealed


@pytest.fixture
def part(tmp_path: Path) -> Path:
    write_sealed(tmp_path / "a.part", b"what was made")
    return tmp_path / "a.part"


def test_a_part_is_read_as_it_was_written(part: Path) -> None:
    assert is_whole(part)
    assert read_sealed(part) == b"what was made"


@pytest.mark.parametrize("at", [0, 5, -1])
def test_a_changed_byte_is_found(part: Path, at: int) -> None:
    data = bytearray(part.read_bytes())
    data[at] ^= 1
    part.write_bytes(data)
    assert not is_whole(part)
    with pytest.raises(ValueError, match=r"a\.part: found a damaged part of unfinished work"):
        read_sealed(part)


@pytest.mark.parametrize("kept", [0, 3, 10])
def test_a_part_that_was_cut_is_found(part: Path, kept: int) -> None:
    part.write_bytes(part.read_bytes()[:kept])
    assert not is_whole(part)


def test_a_part_in_the_place_of_another_is_found(part: Path) -> None:
    other = part.with_name("b.part")
    other.write_bytes(part.read_bytes())
    assert not is_whole(other)


def test_an_array_is_numpys_file_with_a_checksum_behind_it(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    save_array(tmp_path / "0.npy", values)
    assert is_whole(tmp_path / "0.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "0.npy"), values)
