"""What the tests of files share."""

import pytest

from tests.media.running import Run


@pytest.fixture
def run() -> Run:
    """A denoiser of gray that changes nothing."""
    return Run()


@pytest.fixture
def rgb() -> Run:
    """The same for RGB."""
    return Run(3)
