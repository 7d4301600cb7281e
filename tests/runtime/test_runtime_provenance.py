"""One identity of code: what a member imports, and nothing else."""

from pathlib import Path

import numpy as np
import pytest

from self2align.networks.sgn import SGN
from self2align.networks.unet import UNet
from self2align.runtime import provenance
from self2align.runtime.provenance import code_digest, imported_modules, module_file

ROOT = Path(__file__).parents[2]


def test_a_module_is_found_in_the_folder_that_holds_it() -> None:
    assert module_file("self2align.networks.unet") == ROOT / "pipeline" / "networks" / "unet.py"
    assert module_file("self2align.stages.ingest") == ROOT / "stages" / "ingest.py"


@pytest.mark.parametrize(
    "name",
    [
        "self2align.networks",
        "self2align.params.schema",
        "self2align.stages.screen",
        "self2align.stages.cli",
        "self2align.nothing",
        "numpy",
        "self2align",
    ],
)
def test_registries_schema_presentation_and_other_packages_are_no_part_of_it(name: str) -> None:
    assert module_file(name) is None


def test_imports_are_followed_into_functions_and_on() -> None:
    found = imported_modules("self2align.stages.train_denoiser")
    assert "self2align.training.loop" in found, "directly or not"
    assert "self2align.stores.codes" in found
    assert not {name for name in found if name.startswith(("self2align.params", "self2align.report"))}
    assert not {"self2align.networks.unet", "self2align.stages.screen"} & found, "members are loaded by name"


def test_the_digest_tells_members_apart_and_repeats() -> None:
    assert code_digest(UNet) == code_digest(UNet)
    assert code_digest(UNet) != code_digest(SGN)
    assert code_digest(UNet, SGN) == code_digest(SGN, UNet)
    assert code_digest(UNet, np.mean) == code_digest(UNet)


def test_the_digest_changes_with_the_code_of_an_imported_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"self2align.a": "from self2align import b\n", "self2align.b": "x = 1\n", "self2align.c": "y = 1\n"}
    for name, text in files.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.setattr(provenance, "module_file", lambda name: tmp_path / f"{name}.py" if name in files else None)

    def digest() -> str:
        provenance.imported_modules.cache_clear()
        provenance._modules_digest.cache_clear()
        return provenance._modules_digest(frozenset({"self2align.a"}))

    first = digest()
    (tmp_path / "self2align.c.py").write_text("y = 2\n")
    assert digest() == first
    (tmp_path / "self2align.b.py").write_text("x = 2\n")
    assert digest() != first
    provenance.imported_modules.cache_clear()
    provenance._modules_digest.cache_clear()
