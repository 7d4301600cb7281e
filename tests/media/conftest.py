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


@pytest.fixture(params=[(1, True), (3, True), (3, False)], ids=["gray", "rgb", "rgb-plain"])
def same(request: pytest.FixtureRequest) -> Run:
    """The network: of gray or RGB, normalised as shipped weights are, or not."""
    channels, normalised = request.param
    return Run(channels, normalised=normalised)
