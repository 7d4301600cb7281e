import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from self2align.evaluation.costs import fit_image, measure_cost, parameter_count, peak_memory
from self2align.evaluation.protocol import MethodRow
from self2align.stores.weights import save_weights

MIB = 2**20
IMAGE = np.zeros((3, 64, 64), np.float32)

needs_proc = pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="needs /proc")


def row(method: str, **arguments: Any) -> MethodRow:
    return MethodRow(method, Path(f"pipeline/methods/{method}.py"), arguments)


@needs_proc
@pytest.mark.parametrize("held", [0, 200])
def test_peak_memory_excludes_that_of_the_parent_process(held: int) -> None:
    ours = np.ones(400 * MIB, np.uint8)
    script = f"held = b'1' * ({held} << 20); del held; print('done', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"done\n"
        peak, own = peak_memory(child.pid), peak_memory(os.getpid())
        child.kill()
    assert peak is not None
    assert own is not None
    assert own > ours.nbytes
    assert held <= peak / MIB < held + 100


def test_a_method_is_measured_in_its_own_process() -> None:
    cost = measure_cost(row("noisy"), 0.1, IMAGE, threads=1, limit=60)
    assert cost.finished
    assert 0 < cost.seconds < 1
    assert (cost.memory is None) == (not Path("/proc/self/status").is_file())


def test_a_method_over_the_limit_is_stopped_and_marked_unfinished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "cpu")
    cost = measure_cost(row("dip", iterations=10**6), 0.1, IMAGE, threads=1, limit=0.2)
    assert not cost.finished
    assert cost.seconds == 0.2


def test_an_error_of_the_method_is_raised_by_the_measurement(tmp_path: Path) -> None:
    (tmp_path / "broken.safetensors").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"broken\.safetensors: found 7 bytes"):
        measure_cost(MethodRow("broken", tmp_path / "broken.safetensors"), 0.1, IMAGE, threads=1, limit=60)


def test_only_trained_parameters_are_counted(tmp_path: Path) -> None:
    from self2align.networks.unet import UNet

    network = UNet(1, width=8, depth=2)
    header = {"kind": "denoiser", "network": "unet", "channels": 1, "arguments": {"width": 8, "depth": 2}}
    save_weights(tmp_path / "a.safetensors", network.state_dict(), header)
    expected = sum(weight.numel() for weight in network.parameters())
    assert parameter_count(MethodRow("a", tmp_path / "a.safetensors"), 1) == expected
    # What the authors' notebook prints for their network; docs/decisions/benchmark.md has both.
    assert parameter_count(row("dip"), 3) == 2_217_831
    assert parameter_count(row("self2self"), 3) == 991_203
    assert parameter_count(row("dip", width=16), 3) != 2_217_831
    assert parameter_count(row("nlm"), 3) is None


def test_an_image_is_cut_or_mirrored_to_a_square() -> None:
    image = np.arange(6.0, dtype=np.float32).reshape(1, 2, 3)
    assert fit_image(image, 2).tolist() == [[[0, 1], [3, 4]]]
    assert fit_image(image, 4).tolist() == [[[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [0, 1, 2, 2]]]
