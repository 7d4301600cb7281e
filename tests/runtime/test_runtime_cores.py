"""How many cores there are by affinity and by quota, and threads that wait asleep, with the same results."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from self2align.runtime import cores as module
from self2align.runtime.cores import cores, prepare_threads, quota
from self2align.runtime.workers import workers

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
THREADS = ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
V1 = "4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n0::/\n"


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment that says nothing about threads, on eight cores."""
    for name in (*WAITING, *THREADS):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    return monkeypatch


def _system(root: Path, groups: str, files: dict[str, str]) -> Path:
    """Make the part of /proc and /sys that tells the quota."""
    for name, text in {"proc/self/cgroup": groups, **{f"sys/fs/cgroup/{name}": files[name] for name in files}}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("groups", "files", "share"),
    [
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {"cpu.max": "250000 100000\n"}, 2.5),
        ("0::/user/job\n", {"user/job/cpu.max": "max 100000\n", "user/cpu.max": "300000 100000\n"}, 3.0),
        ("0::/user/job\n", {"user/job/cpu.max": "150000 50000\n", "user/cpu.max": "400000 50000\n"}, 3.0),
        ("0::/user/job\n", {"cpu.max": "50000 100000\n"}, 0.5),
        (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "400000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 4.0),
        (V1, {"cpu/docker/abc/cpu.cfs_quota_us": "100000\n", "cpu/docker/abc/cpu.cfs_period_us": "100000\n"}, 1.0),
        (V1, {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, None),
        ("3:cpuset:/\n", {"cpuset/cpu.cfs_quota_us": "100000\n", "cpuset/cpu.cfs_period_us": "100000\n"}, None),
        ("", {}, None),
    ],
)
def test_the_quota_is_that_of_the_cgroup(
    tmp_path: Path, free: pytest.MonkeyPatch, groups: str, files: dict[str, str], share: float | None
) -> None:
    root = _system(tmp_path, groups, files)
    assert quota(root) == share
    assert cores(root) == (8 if share is None else max(1, int(share)))


def test_without_such_files_the_affinity_counts(tmp_path: Path, free: pytest.MonkeyPatch) -> None:
    assert quota(tmp_path) is None
    assert cores(tmp_path) == 8


def test_a_quota_above_the_affinity_gives_no_more_cores(tmp_path: Path, free: pytest.MonkeyPatch) -> None:
    free.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert cores(_system(tmp_path, "0::/\n", {"cpu.max": "700000 100000\n"})) == 2


def test_there_are_no_more_worker_processes_than_cores(free: pytest.MonkeyPatch) -> None:
    free.setattr(module, "quota", lambda root: 3.0)
    free.delenv("SELF2ALIGN_WORKERS", raising=False)
    assert workers() == 3
    free.setenv("SELF2ALIGN_WORKERS", "64")
    assert workers() == 3
    free.setenv("SELF2ALIGN_WORKERS", "2")
    assert workers() == 2


def test_threads_are_limited_by_a_quota_alone(free: pytest.MonkeyPatch) -> None:
    free.setattr(module, "quota", lambda root: None)
    prepare_threads()
    assert not [name for name in THREADS if name in os.environ]
    free.setattr(module, "quota", lambda root: 2.0)
    free.setenv("OMP_NUM_THREADS", "1")
    prepare_threads()
    assert [os.environ[name] for name in THREADS] == ["1", "2"]


@pytest.mark.parametrize("name", WAITING)
def test_what_the_user_says_of_waiting_stays(free: pytest.MonkeyPatch, name: str) -> None:
    free.setattr(module, "quota", lambda root: None)
    free.setenv(name, "ACTIVE")
    prepare_threads()
    assert {one: os.environ.get(one) for one in WAITING} == {**dict.fromkeys(WAITING), name: "ACTIVE"}


LAUNCHED = """
import os, sys
from self2align.stages.cli import main
sys.argv[1:] = ["--version"]
try:
    main()
except SystemExit:
    pass
assert "torch" not in sys.modules
from self2align.runtime.workers import run_tasks
if __name__ == "__main__":
    print(*run_tasks(os.getenv, [("OMP_WAIT_POLICY",)] * 2, lambda *_: None, 2))
"""


def test_the_launcher_tells_threads_to_wait_asleep_and_workers_hear_it(tmp_path: Path) -> None:
    (tmp_path / "launched.py").write_text(LAUNCHED)
    environment = {name: value for name, value in os.environ.items() if name not in WAITING}
    command = [sys.executable, str(tmp_path / "launched.py")]
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.splitlines()[-1] == "PASSIVE PASSIVE"


TRAINED = """
import hashlib, os, sys, tempfile
from pathlib import Path
if sys.argv[1] == "passive":
    from self2align.runtime.cores import prepare_threads
    prepare_threads()
assert os.environ.get("OMP_WAIT_POLICY") == ("PASSIVE" if sys.argv[1] == "passive" else None)
import torch
from self2align.networks.unet import UNet
from self2align.runtime.workers import exact_threads
torch.manual_seed(0)
network = UNet(3, width=16, depth=2)
optimizer = torch.optim.Adam(network.parameters(), 1e-3)
noisy = torch.rand(4, 3, 64, 64)
with exact_threads(2):
    for _ in range(4):
        optimizer.zero_grad()
        (network(noisy) - noisy.roll(1, 3)).square().mean().backward()
        optimizer.step()
digest = hashlib.sha256()
for tensor in network.state_dict().values():
    digest.update(tensor.numpy().tobytes())
print(digest.hexdigest())
"""


def test_a_training_ends_in_the_same_bytes_however_threads_wait() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in (*WAITING, *THREADS)}

    def weights(how: str) -> str:
        command = [sys.executable, "-c", TRAINED, how]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

    asleep = weights("passive")
    assert len(asleep) == len(hashlib.sha256().hexdigest())
    assert asleep == weights("as it is")
