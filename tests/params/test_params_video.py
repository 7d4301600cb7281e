"""The parameters of the benchmark of video: what is refused, and files from before there was one."""

from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from self2align.params.loading import load

ROOT = Path(__file__).parents[2]
ONE = "pipeline/methods/noisy.py"
WEIGHTS = "w.safetensors"


def _written(path: Path, **sections: Any) -> Path:
    """Write the default profile with other sections; None leaves one out."""
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load((ROOT / "profiles" / "default.yaml").read_text(encoding="utf-8"))
    for name, section in sections.items():
        if section is None:
            del content[name]
        else:
            content[name] |= section
    with (path / "params.yaml").open("w", encoding="utf-8") as file:
        yaml.dump(content, file)
    return path / "params.yaml"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"file": "best.py"}, r"methods\.a\.file: found 'best\.py', expected weights .* or one of"),
        ({"file": ONE, "temporal": 2}, r"methods\.a\.temporal: found 2, expected 0: .* sees one frame at a time"),
        ({"file": ONE, "told": True}, r"methods\.a\.told: found true, expected false: a method is always told"),
        ({"file": ONE, "arguments": {"h": 2}}, r"methods\.a\.arguments\.h: found an unknown key"),
        ({"file": WEIGHTS, "arguments": {"h": 2}}, r"methods\.a\.arguments: found .* expected none for weights"),
        ({"file": WEIGHTS, "temporal": 9}, r"methods\.a\.temporal: found 9, expected less than or equal to 8"),
        ({"file": WEIGHTS, "aligner": "dis"}, r"methods\.a\.aligner: found 'dis', expected null with temporal 0"),
        ({"file": WEIGHTS, "temporal": 1, "aligner": "raft"}, r"found 'raft', expected one of dis, ian, refined_dis"),
    ],
)
def test_a_wrong_row_is_named_with_its_key(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    path = _written(tmp_path, benchmark_video={"methods": {"a": row}})
    with pytest.raises(ValueError, match=rf"params\.yaml: .*{message}") as error:
        load(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("sigma", [[], [0.0], [25.0, 25.0]])
def test_levels_are_positive_and_different(tmp_path: Path, sigma: list[float]) -> None:
    with pytest.raises(ValueError, match=r"benchmark_video\.sigma.*: found .*, expected"):
        load(_written(tmp_path, benchmark_video={"sigma": sigma}))


def test_rows_need_sequences(tmp_path: Path) -> None:
    path = _written(tmp_path, benchmark_videos=None)
    with pytest.raises(ValueError, match=r"benchmark_videos: found none, expected at least one for benchmark_video\."):
        load(path)


def test_a_file_from_before_there_was_a_benchmark_of_video_has_none(tmp_path: Path) -> None:
    params = load(_written(tmp_path, benchmark_videos=None, benchmark_video=None))
    assert not params.benchmark_videos
    assert not params.benchmark_video.methods


def test_a_set_takes_85_frames_as_the_protocol_does_and_a_row_the_aligner_that_was_trained(tmp_path: Path) -> None:
    videos = {"davis": {"kind": "folder", "path": "p"}, "whole": {"kind": "folder", "path": "p", "max_frames": None}}
    row = {"file": WEIGHTS, "temporal": 2, "aligner": "dis"}
    params = load(_written(tmp_path, benchmark_videos=videos, benchmark_video={"methods": {"a": row}}))
    assert (params.benchmark_videos["davis"].max_frames, params.benchmark_videos["whole"].max_frames) == (85, None)
    assert params.benchmark_video.rows(Path("x"))["a"].aligner == Path("x/dis.safetensors")
