from pathlib import Path

import pytest

from self2align.alignment.loading import make_aligner, save_aligner
from self2align.networks.dncnn import DnCNN
from self2align.stages.tools.bundle import bundle
from self2align.stores.weights import load_part, save_weights

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with parameters, a denoiser, and the aligner that the parameters choose."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "profiles" / "default.yaml").read_bytes())
    header = {"kind": "denoiser", "network": "dncnn", "channels": 1, "arguments": {"depth": 3, "width": 4}}
    save_weights(tmp_path / "data/train_denoiser/denoiser.safetensors", DnCNN(1, depth=3, width=4).state_dict(), header)
    told = {"aligner": "dis", "channels": 1, "arguments": {}}
    save_aligner(tmp_path / "data/train_ian/refined_dis.safetensors", make_aligner("dis", 1, {}), told)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_bundle_has_the_denoiser_and_the_aligner_that_made_its_pairs(trained: Path) -> None:
    bundle(Path("both.safetensors"))
    assert load_part(Path("both.safetensors"), "denoiser")[1]["network"] == "dncnn"
    assert load_part(Path("both.safetensors"), "aligner")[1]["aligner"] == "dis"
    with pytest.raises(ValueError, match=r"both\.safetensors: found a file, expected none \(--overwrite"):
        bundle(Path("both.safetensors"))
    bundle(Path("both.safetensors"), overwrite=True)


def test_what_is_missing_is_named_and_nothing_is_written(trained: Path) -> None:
    (trained / "data/train_ian/refined_dis.safetensors").unlink()
    with pytest.raises(ValueError, match=r"refined_dis\.safetensors: found no file, expected weights"):
        bundle(Path("both.safetensors"))
    with pytest.raises(ValueError, match=r"both\.pt: found suffix '\.pt', expected '\.safetensors'"):
        bundle(Path("both.pt"))
    assert not list(Path().glob("both*"))
