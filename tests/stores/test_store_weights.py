"""Networks that belong together, in one file."""

from pathlib import Path

import pytest
import torch

from self2align.alignment.loading import load_aligner, make_aligner, save_aligner
from self2align.denoising.inference import load_denoiser
from self2align.networks.dncnn import DnCNN
from self2align.stores.weights import load_part, save_bundle, save_weights

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
