"""What tests share: the field's images where they lie beside the project, and footage with known motion."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of the field's data sets; tests that need it skip where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("needs the field's data sets beside the project")
    return folder


@pytest.fixture(scope="session")
def odd(shared: Path) -> Path:
    """The folder of odd files, a part of those data sets."""
    folder = shared / "odd"
    if not folder.is_dir():
        pytest.skip("needs the odd files beside the project")
    return folder


@pytest.fixture(scope="session")
def texture() -> NDArray[np.float32]:
    """A smooth random picture, (3, 160, 200), in [0, 1], with detail at all scales above two px."""
    draw = np.random.default_rng(7)
    picture = sum(gaussian_filter(draw.standard_normal((3, 160, 200)), (0, s, s)) * s for s in (1.5, 3.0, 6.0, 12.0))
    picture -= picture.min()
    return np.asarray(picture / picture.max(), np.float32)
