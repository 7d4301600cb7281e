import ast
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.evaluation.metrics import psnr
from self2align.images.levels import to_levels
from self2align.methods.bm3d import bm3d
from self2align.methods.method import load_method
from self2align.methods.nlm import nlm
from self2align.runtime.families import check_arguments

ROOT = Path(__file__).parent.parent.parent
SIGMA = 25 / 255


def _noisy(clean: NDArray[np.float32]) -> NDArray[np.float32]:
    return clean + np.float32(SIGMA) * np.random.default_rng(1).standard_normal(clean.shape, np.float32)


def _quality(image: NDArray[np.float32], clean: NDArray[np.float32]) -> float:
    return psnr(to_levels(image), to_levels(clean))


@pytest.mark.parametrize("channels", [1, 3])
def test_it_removes_more_noise_from_a_textured_picture_than_nlm(texture: NDArray[np.float32], channels: int) -> None:
    pytest.importorskip("bm3d")
    clean = texture[:channels, :71, :80]
    noisy = _noisy(clean)
    found = bm3d(noisy, SIGMA)
    assert found.shape == noisy.shape
    assert found.dtype == np.float32
    assert _quality(found, clean) > max(_quality(nlm(noisy, SIGMA), clean), _quality(noisy, clean) + 5)
    np.testing.assert_array_equal(bm3d(noisy, SIGMA), found)


@pytest.mark.parametrize("profile", ["high", "vn", "vn_old"])
def test_every_profile_runs(texture: NDArray[np.float32], profile: str) -> None:
    pytest.importorskip("bm3d")
    clean = texture[:, :40, :40]
    method = load_method("bm3d").denoise
    assert _quality(method(_noisy(clean), SIGMA, profile=profile), clean) > _quality(_noisy(clean), clean) + 3


def test_at_sigma_0_the_image_is_unchanged(texture: NDArray[np.float32]) -> None:
    pytest.importorskip("bm3d")
    np.testing.assert_array_equal(bm3d(texture, 0.0), texture)


def test_without_the_package_the_error_is_one_line_that_names_the_package(
    texture: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "bm3d", None)
    with pytest.raises(ValueError, match=r"pip install bm3d") as error:
        bm3d(texture, SIGMA)
    assert "\n" not in str(error.value)


def test_parameters_that_name_it_are_checked_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bm3d", None)
    check_arguments(bm3d, {"profile": "high"}, "benchmark.methods.bm3d.arguments")
    with pytest.raises(ValueError, match=r"profile: found 'refilter', expected 'np', 'high', 'vn' or 'vn_old'"):
        check_arguments(bm3d, {"profile": "refilter"}, "benchmark.methods.bm3d.arguments")


def test_nothing_else_imports_the_package() -> None:
    found = []
    for path in [*ROOT.glob("pipeline/**/*.py"), *ROOT.glob("stages/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [path.relative_to(ROOT).as_posix() for name in names if name.split(".")[0] in ("bm3d", "bm4d")]
    assert found == ["pipeline/methods/bm3d.py"]
