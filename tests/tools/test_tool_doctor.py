import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import typer
from numpy.typing import NDArray

from self2align.networks.unet import UNet
from self2align.params.loading import load
from self2align.stages.tools.doctor import doctor
from self2align.stores.codes import Coding
from self2align.stores.frames import Part, SceneRecord, write_frames
from self2align.stores.weights import save_weights
from self2align.survey.checks import (
    Finding,
    check_environment,
    check_folder,
    check_leftovers,
    check_machine,
    check_python,
    check_stages,
    check_stores,
    check_weights,
)

ROOT = Path(__file__).parents[2]


def fetch(part: Part, start: int, stop: int) -> NDArray[Any]:
    return np.random.default_rng(0).integers(0, 256, (part.record.count, 3, 40, 48), dtype=np.uint8)[start:stop]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    record = SceneRecord("mine", "one", ("pairs",), "", 0, 3, 40, 48)
    (tmp_path / "work").mkdir()
    path = tmp_path / "data" / "ingest" / "mine.zarr"
    write_frames(path, [Part(record, Coding("uint8", 1 / 255), 3, "")], fetch, {}, tmp_path / "work", lambda *_: None)
    return path


def broken(findings: list[Finding]) -> list[str]:
    assert all(finding.advice for finding in findings if finding.broken)
    return [finding.text for finding in findings if finding.broken]


def test_a_line_is_ok_or_says_what_to_do() -> None:
    assert str(Finding("disk", "9 GiB free")) == "ok     disk: 9 GiB free"
    assert str(Finding("disk", "1 GiB free", "make room")) == "warn   disk: 1 GiB free; make room"


def test_this_environment_is_sound() -> None:
    found = [*check_environment(), *check_machine()]
    assert not broken(found)
    assert {"Python", "packages", "requirements.lock", "device", "disk"} <= {finding.subject for finding in found}


def test_a_wrong_variable_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SELF2ALIGN_MEMORY", "much")
    assert broken(list(check_machine())) == ["SELF2ALIGN_MEMORY: found 'much', expected a number of MiB"]


def test_a_package_that_is_missing_or_too_old_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "1.0", "zarr": "3.1.6"}
    monkeypatch.setattr("self2align.survey.checks.version", lambda name: versions.get(name, "9999"))
    (text,) = broken([finding for finding in check_environment() if finding.subject == "packages"])
    assert text == "torch: found 1.0, expected >=2.8"
    locked = next(finding for finding in check_environment() if finding.subject == "requirements.lock")
    assert "9999" in locked.text


def test_an_undamaged_store_is_ok(store: Path) -> None:
    (found,) = check_stores(store.parents[1])
    assert "matches its digest" in str(found)
    assert str(found).startswith("ok")


def test_a_missing_or_damaged_shard_is_named(store: Path) -> None:
    shard = store / "40x48" / "frames" / "c.0.0.0.0"
    whole = shard.read_bytes()
    shard.write_bytes(whole[: len(whole) // 2])
    (text,) = broken(list(check_stores(store.parents[1])))
    assert text.startswith("40x48/frames/c.0.0.0.0 does not decode")
    shard.unlink()
    assert broken(list(check_stores(store.parents[1]))) == ["40x48/frames/c.0.0.0.0 is missing"]
    shard.write_bytes(whole)
    (store / "more").touch()
    assert broken(list(check_stores(store.parents[1]))) == ["its files differ from those that were written"]
    (store / "more").unlink()
    (store / "40x48" / "frames" / "zarr.json").write_text("{")
    assert broken(list(check_stores(store.parents[1])))[0].startswith("40x48/frames/zarr.json is no JSON")
    (store / "zarr.json").unlink()
    assert "a folder without zarr.json" in broken(list(check_stores(store.parents[1])))[0]


def test_weights_are_complete_and_fit_their_network(tmp_path: Path) -> None:
    header = {"arguments": {"width": 8, "depth": 2}, "channels": 1, "kind": "denoiser", "network": "unet"}
    tensors = UNet(1, width=8, depth=2).state_dict()
    save_weights(tmp_path / "good.safetensors", tensors, header)
    save_weights(tmp_path / "other.safetensors", tensors, {**header, "channels": 3})
    save_weights(tmp_path / "unknown.safetensors", {"a": torch.zeros(1)}, {"kind": "notes"})
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "good.safetensors").read_bytes()[:500])
    (tmp_path / "untrained.safetensors").touch()
    found = {finding.subject.rpartition("/")[2]: finding for finding in check_weights([tmp_path])}
    assert [name for name, finding in found.items() if finding.broken] == ["cut.safetensors", "other.safetensors"]
    assert "do not fit the network" in found["other.safetensors"].text
    assert found["good.safetensors"].text.startswith("denoiser, ")
    assert "untrained.safetensors" not in found


def test_leftovers_of_interrupted_runs_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [str(finding) for finding in check_leftovers(Path("data"))] == ["ok     leftovers: none"]
    (tmp_path / ".self2align" / "train_ian-0123").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / ".x.json.7.partial").touch()
    found = list(check_leftovers(Path("data")))
    assert [finding.subject for finding in found] == [".self2align", "partial files"]
    assert "train_ian-0123" in found[0].text
    assert not broken(found)


def test_missing_parts_of_a_working_folder_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    params = load(ROOT / "profiles" / "default.yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline").symlink_to(tmp_path / "gone")
    found = {finding.subject: finding for finding in check_folder(params)}
    assert {name for name, finding in found.items() if finding.broken} == {"pipeline", "dvc.yaml", "footage"}
    assert found["pipeline"].advice == f"`ln -sfn {ROOT / 'pipeline'} pipeline`"
    monkeypatch.chdir(ROOT)
    assert not broken(list(check_folder(params)))


def test_the_python_that_dvc_yaml_calls_is_that_of_this_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own" / "bin"
    for folder in (own, tmp_path / "other"):
        folder.mkdir(parents=True)
        (folder / "python").symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(own / "python3"))
    monkeypatch.setenv("PATH", str(own))
    assert str(*check_python()) == "ok     python: the command is that of this environment"
    monkeypatch.setenv("PATH", f"{tmp_path / 'other'}:{own}")
    (found,) = check_python()
    assert f"the command is {tmp_path / 'other' / 'python'}, of another environment" in found.text
    assert found.advice == f'`export PATH="{own}:$PATH"`'
    (own / "activate").touch()
    monkeypatch.setenv("PATH", str(tmp_path / "none"))
    (found,) = check_python()
    assert found.text.startswith("no such command")
    assert found.advice == f"`. {own / 'activate'}`"


def test_the_states_of_stages_are_those_of_dvc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (text,) = broken(list(check_stages()))
    assert text.startswith("`dvc status` failed: ")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (tmp_path / "in.txt").write_text("1")
    (tmp_path / "params.yaml").write_text("size: 1\n")
    stages = [
        f"  {name}:\n    cmd: cp in.txt {name}.txt\n    deps: [in.txt]\n    params: [size]\n    outs: [{name}.txt]\n"
        for name in "ab"
    ]
    (tmp_path / "dvc.yaml").write_text("stages:\n" + "".join(stages))
    subprocess.run([sys.executable, "-m", "dvc", "repro", "-q", "a"], check=True)
    found = [str(finding) for finding in check_stages()]
    assert found == ["ok     stages: 1 up to date", "warn   stages: 1 not run yet (b); `dvc repro`"]
    for size in ("size: 2\n", "", "size: 1\n"):
        (tmp_path / "params.yaml").write_text(size)
        assert ("1 out of date (a)" in str(next(check_stages()))) == (size != "size: 1\n")
    (tmp_path / "in.txt").write_text("2")
    assert "1 out of date (a)" in str(next(check_stages()))
    shutil.rmtree(tmp_path / ".dvc" / "cache")
    (tmp_path / "a.txt").unlink()
    assert "1 lack files (a)" in str(next(check_stages()))


def test_a_running_dvc_is_not_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".dvc" / "tmp").mkdir(parents=True)
    (tmp_path / ".dvc" / "config").write_text("[core]\n    no_scm = true\n    analytics = false\n")
    (tmp_path / "dvc.yaml").write_text("stages:\n  a:\n    cmd: touch a.txt\n    outs: [a.txt]\n")
    running = {"pid": os.getpid(), "cmd": "dvc repro"}
    lock = {"read": {}, "write": {str(tmp_path / "a.txt"): running}}
    (tmp_path / ".dvc" / "tmp" / "rwlock").write_text(json.dumps(lock))
    (found,) = check_stages()
    who = f"(dvc repro, process {os.getpid()})"
    assert str(found) == f"warn   stages: DVC is running here {who}; repeat the check when it has finished"
    assert not found.broken


def test_outside_a_working_folder_nothing_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    doctor()
    assert "warn   params.yaml: no such file; go to a working folder" in capsys.readouterr().out


def test_something_broken_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "params.yaml").write_text("seed: many\n")
    with pytest.raises(typer.Exit) as error:
        doctor()
    assert error.value.exit_code == 1
    shown = capsys.readouterr().out
    assert "broken params.yaml: " in shown
    assert shown.endswith("1 broken\n")
