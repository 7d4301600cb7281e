"""The rate and the preset of encoded videos: what the encoder takes reaches it, the rest is refused before any work."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import tifffile
import zarr

from self2align.media.containers import CONTAINERS, ENCODERS, SCALES, default_codec, encoder_options
from self2align.media.medium import Choices
from self2align.media.recording import encode
from tests.media.running import Run


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Four noisy frames of 64 x 48 px."""
    draw = np.random.default_rng(0)
    frames = [draw.normal(128, 25, (48, 64, 3)).clip(0, 255).astype(np.uint8) for _ in range(4)]
    encode(tmp_path / "in.mp4", frames, "h264", 5, Fraction(25), ".mp4")
    return tmp_path / "in.mp4"


@pytest.mark.parametrize(
    ("codec", "crf", "preset", "told"),
    [
        ("libx264", 27.5, "ultrafast", [b" crf=27.5 ", b" cabac=0 "]),
        ("libx264", None, "slow", [b" crf=14.0 ", b" subme=8 "]),
        ("libx265", 30, "superfast", [b" crf=30.0 ", b" rc-lookahead=10 "]),
    ],
)
def test_what_was_chosen_stands_in_the_stream(
    clip: Path, rgb: Run, codec: str, crf: float | None, preset: str | None, told: list[bytes]
) -> None:
    out = clip.with_name("out.mkv")
    rgb(clip, out, codec=codec, crf=crf, preset=preset)
    with av.open(str(out)) as container:
        [stream] = container.streams.video
        # Where the encoder writes its settings: in the first packet, or the header.
        packets = list(container.demux(stream))
        data = bytes(stream.codec_context.extradata or b"") + bytes(packets[0])
        assert sum(len(packet.decode()) for packet in packets) == 4
    for text in told:
        assert text in data


@pytest.mark.parametrize(("codec", "preset"), [("libvpx-vp9", None), ("libsvtav1", "12")])
def test_a_higher_factor_takes_fewer_bytes(clip: Path, rgb: Run, codec: str, preset: str | None) -> None:
    sizes = []
    for crf in (SCALES[codec].low, SCALES[codec].high):
        rgb(clip, out := clip.with_name(f"{crf}.mkv"), codec=codec, crf=crf, preset=preset)
        sizes.append(out.stat().st_size)
    assert sizes[0] > 2 * sizes[1]


def test_ours_are_what_encoders_take_and_stay_where_nothing_is_chosen() -> None:
    for codec, ours in ENCODERS.items():
        assert encoder_options(codec, None, None) == ours
        if codec in SCALES:
            assert encoder_options(codec, float(ours["crf"]), ours.get("preset")) == ours
    for suffix in CONTAINERS:
        assert {default_codec(suffix, bits) for bits in (8, 10)} <= set(SCALES)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({"crf": 52}, r"^crf: found 52, expected a number from 0 to 51 for libx264$"),
        ({"crf": float("nan")}, r"^crf: found nan, expected a number from 0 to 51 for libx264$"),
        ({"crf": 20.5, "codec": "libvpx-vp9"}, r"^crf: found 20\.5, expected a whole number from 0 to 63 for libvpx-v"),
        ({"crf": 0, "codec": "libsvtav1"}, r"^crf: found 0, expected a whole number from 1 to 63 for libsvtav1$"),
        ({"crf": 18, "codec": "ffv1"}, r"^crf: found 18 for ffv1, which has none, expected --codec of libsvtav1, libv"),
        ({"crf": 18, "codec": "prores_ks"}, r"^crf: found 18 for prores_ks, which has none, expected --codec of "),
        ({"preset": "quick"}, r"^preset: found 'quick', expected one of ultrafast, .*, placebo for libx264$"),
        (
            {"preset": "fast", "codec": "libsvtav1"},
            r"^preset: found 'fast', expected one of 13, 12, .*, 0 for libsvtav1",
        ),
        ({"preset": "fast", "codec": "libvpx-vp9"}, r"^preset: found 'fast', expected none for libvpx-vp9$"),
        ({"preset": "fast", "codec": "ffv1"}, r"^preset: found 'fast', expected none for ffv1$"),
    ],
)
def test_what_an_encoder_does_not_take_is_refused_in_one_line(clip: Path, rgb: Run, told: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        rgb(clip, clip.with_name("out.mkv"), **told)
    assert [path.name for path in clip.parent.iterdir()] == ["in.mp4"]


@pytest.mark.parametrize("told", [{"crf": 18.0}, {"preset": "fast"}])
@pytest.mark.parametrize("name", ["in.png", "in.tif", "in.zarr"])
def test_files_that_are_no_video_take_neither(tmp_path: Path, run: Run, name: str, told: dict[str, Any]) -> None:
    values = np.random.default_rng(0).integers(0, 255, (24, 32), dtype=np.uint8)
    source = tmp_path / name
    if source.suffix == ".zarr":
        zarr.create_array(source, data=values)
    else:
        tifffile.imwrite(source, values, photometric="minisblack") if source.suffix == ".tif" else _picture(
            source, values
        )
    [(what, value)] = told.items()
    with pytest.raises(ValueError, match=rf"^{what}: found {value!r} for .*{name}, expected none for such a file$"):
        run(source, tmp_path / f"out{source.suffix}", **told)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def _picture(path: Path, values: Any) -> None:
    from self2align.images import png

    path.write_bytes(png.encode_png(values[..., None]))


@pytest.mark.parametrize(("name", "value"), [("crf", 20.0), ("preset", "fast"), ("sigma", 3.0), ("codec", "ffv1")])
def test_every_choice_decides_whose_unfinished_work_is_used(name: str, value: Any) -> None:
    told, usual = Choices(1, **{name: value}).record(), Choices(1).record()
    assert {key for key in usual if told[key] != usual[key]} == {name}
