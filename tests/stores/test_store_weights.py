"""Networks that belong together, in one file."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from self2align.alignment.loading import load_aligner, make_aligner, save_aligner
from self2align.denoising.inference import load_denoiser
from self2align.networks.dncnn import DnCNN
from self2align.stores.weights import load_header, load_part, load_weights, save_bundle, save_weights

CPU = torch.device("cpu")
HEADER = {"kind": "denoiser", "network": "dncnn", "channels": 1, "arguments": {"depth": 3, "width": 4}}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A denoiser and a classical aligner."""
    denoiser, aligner = tmp_path / "denoiser.safetensors", tmp_path / "aligner.safetensors"
    save_weights(denoiser, DnCNN(1, depth=3, width=4).state_dict(), HEADER)
    save_aligner(aligner, make_aligner("dis", 1, {}), {"aligner": "dis", "channels": 1, "arguments": {"blur": 2.0}})
    return {"denoiser": denoiser, "aligner": aligner}


def test_a_bundle_gives_each_network_back(files: dict[str, Path], tmp_path: Path) -> None:
    both = tmp_path / "both.safetensors"
    save_bundle(both, files)
    alone, header = load_denoiser(files["denoiser"], CPU)
    bundled, told = load_denoiser(both, CPU)
    assert told == header
    assert all(torch.equal(value, bundled.state_dict()[name]) for name, value in alone.state_dict().items())
    frames = torch.rand((2, 1, 1, 48, 48), generator=torch.Generator().manual_seed(0))
    assert torch.equal(load_aligner(both, CPU)(*frames), load_aligner(files["aligner"], CPU)(*frames))
    again = tmp_path / "again.safetensors"
    save_bundle(again, {"denoiser": both, "aligner": both})
    assert again.read_bytes() == both.read_bytes(), "a part may come from another bundle"


def test_a_part_of_another_kind_or_one_that_is_missing_is_named(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"aligner\.safetensors: found weights of kind 'aligner', expected 'denoiser'"):
        save_bundle(tmp_path / "wrong.safetensors", {"denoiser": files["aligner"]})
    assert not (tmp_path / "wrong.safetensors").exists()
    alone = tmp_path / "alone.safetensors"
    save_bundle(alone, {"denoiser": files["denoiser"]})
    with pytest.raises(ValueError, match=r"alone\.safetensors: found weights of kind 'bundle', expected 'aligner'"):
        load_part(alone, "aligner")


def test_a_header_is_read_without_the_tensors(files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load_weights(files["denoiser"])[1]

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a tensor was read")

    monkeypatch.setattr(torch.Tensor, "clone", refuse)
    assert load_header(files["denoiser"]) == expected == HEADER
    with pytest.raises(AssertionError, match="a tensor was read"):
        load_weights(files["denoiser"])


@pytest.mark.parametrize("content", [b"", b"short", b"\x80\x04K\x01." * 9, b"\xff" * 64])
def test_a_header_of_a_broken_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match=r"w\.safetensors: found \d+ bytes that are no safetensors file"):
        load_header(tmp_path / "w.safetensors")


def test_a_truncated_file_is_refused_by_its_header(files: dict[str, Path]) -> None:
    files["denoiser"].write_bytes(files["denoiser"].read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"denoiser\.safetensors: found \d+ bytes that are no safetensors file"):
        load_header(files["denoiser"])


def test_weights_of_another_program_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.ones(2)}, path, metadata={"format": "pt"})
    for read in (load_header, load_weights):
        with pytest.raises(ValueError, match=r"other\.safetensors: found a safetensors file without the header"):
            read(path)
    with pytest.raises(ValueError, match="found no file, expected weights"):
        load_header(tmp_path / "absent.safetensors")


def test_a_header_nested_without_end_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "deep.safetensors"
    save_file({"a": torch.ones(2)}, path, metadata={"self2align": "[" * 200_000})
    with pytest.raises(ValueError, match="no safetensors file"):
        load_header(path)


def test_a_bundle_without_parts_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "both.safetensors"
    save_weights(path, {}, {"kind": "bundle"})
    with pytest.raises(ValueError, match="found weights of kind 'bundle', expected 'denoiser'"):
        load_part(path, "denoiser")
