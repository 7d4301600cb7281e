"""Footage as a camera records it: frames with the noise of its sensor, as pictures or through a real codec."""

import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from self2align.images.png import encode_png
from self2align.media.clean import CleanFootage, Frame
from self2align.media.containers import CONTAINERS
from self2align.noise.camera import Camera, film_frame
from self2align.runtime.disk import at, check_room, move_into_place, partial_of, remove_abandoned
from self2align.runtime.progress import Progress
from self2align.videos.opening import address
from self2align.videos.yuv import Yuv, planar_frame

# The bytes of a stream follow from the number of threads, whatever the machine has.
THREADS = 4
# Name -> encoder and its options. mbtree reads uninitialized memory: the same frames would give different bytes.
CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "h264": ("libx264", {"preset": "medium", "x264-params": "mbtree=0"}),
    "hevc": ("libx265", {"preset": "medium", "x265-params": f"log-level=none:pools={THREADS}:frame-threads=2"}),
}
SUFFIXES = (".mkv", ".mov", ".mp4")
QUALITIES = (0, 51)
LEAST = 16  # px: encoders take no smaller frames
_LIMITED, _BT709 = 1, 1  # FFmpeg's numbers
_YUV = Yuv(8, (2, 2), full=False, weights=(0.2126, 0.0722))
_OURS = re.compile(r"\d{6}\.png")


@dataclass(frozen=True)
class Recording:
    """What becomes of the frames of a camera.

    Attributes
    ----------
    codec
        A key of `CODECS`; None for a folder of PNG.
    quality
        Constant rate factor of the encoder, 0 to 51: higher is worse.
    rate
        Frames a second; None for those of the clean footage.
    """

    codec: str | None = "h264"
    quality: int = 18
    rate: Fraction | None = None


def check_recording(
    footage: CleanFootage, recording: Recording, out: Path, clean: Path | None, overwrite: bool
) -> None:
    """Refuse what cannot be written, before any work.

    Raises
    ------
    ValueError
        For an unknown codec, a suffix that does not fit it, frames too small for it, or an output that is there already
        or is the input.
    """
    if recording.codec not in (None, *CODECS):
        raise ValueError(f"codec: found {recording.codec!r}, expected {', '.join(CODECS)} or none")
    low, high = QUALITIES
    if not low <= recording.quality <= high:
        raise ValueError(f"quality: found {recording.quality}, expected {low} to {high}")
    if recording.codec is not None and out.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{out}: found suffix {out.suffix!r}, expected one of {', '.join(SUFFIXES)}, or --codec none")
    if recording.codec is not None and min(footage.size) < LEAST:
        height, width = footage.size
        raise ValueError(
            f"{footage.source}: found {width} x {height} px, expected at least {LEAST} px each way for a video"
        )
    if recording.codec is None and out.suffix.lower() in CONTAINERS:
        raise ValueError(f"{out}: found suffix {out.suffix!r} with --codec none, expected the name of a folder")
    _check_place(footage, out, recording.codec is None, overwrite)
    if clean is not None:
        _check_place(footage, clean, True, overwrite)
        if out.resolve().is_relative_to(clean.resolve()) or clean.resolve().is_relative_to(out.resolve()):
            raise ValueError(f"{clean}: found it and {out} one within the other, expected them apart")


def _check_place(footage: CleanFootage, out: Path, folder: bool, overwrite: bool) -> None:
    inner, outer = footage.source.resolve(), out.resolve()
    if inner == outer:
        raise ValueError(f"{out}: found the input itself, expected another path for the output")
    if outer.is_relative_to(inner) or inner.is_relative_to(outer):
        raise ValueError(f"{out}: found input ({footage.source}) and output one within the other, expected them apart")
    if not out.exists() or (folder and out.is_dir() and not any(out.iterdir())):
        return
    if not overwrite:
        raise ValueError(f"{out}: found it there already, expected a new name, or --overwrite to replace it")
    if out.is_dir() != folder:
        found, expected = ("a folder", "a file") if out.is_dir() else ("a file", "a folder")
        raise ValueError(f"{out}: found {found}, expected {expected} to replace")
    foreign = (
        next((item.name for item in sorted(out.iterdir()) if not _OURS.fullmatch(item.name)), None) if folder else None
    )
    if foreign is not None:
        raise ValueError(f"{out}: found {foreign} in it, expected a folder of frames (000000.png) to replace")


def record(
    footage: CleanFootage,
    camera: Camera,
    out: Path,
    *,
    recording: Recording,
    seed: int,
    clean: Path | None,
    progress: Progress,
) -> int:
    """Write footage as a camera records it; return the number of its frames.

    Parameters
    ----------
    footage, camera
        What is filmed, and by what.
    out
        Video, or folder of PNG; it appears when it is complete.
    recording
        How it is written. 4:2:0 takes even sizes: the last row or column of others is left out.
    seed
        Of the noise; frame n is that of `self2align.noise.camera.film`.
    clean
        Folder for the clean frames, as PNG; None for none.
    progress
        Called with frames done and all.
    """
    height, width = footage.size
    if recording.codec is not None:
        height, width = height - height % 2, width - width % 2
    pictures = (recording.codec is None) + (clean is not None)
    check_room(out.parent, pictures * footage.count * height * width, "frames")
    done = 0
    with _made(clean) as clean_folder, _made(out) as made:

        def shots() -> Iterator[Frame]:
            nonlocal done
            for number, frame in enumerate(footage.frames()):
                cut = np.ascontiguousarray(frame[:height, :width])
                if clean_folder is not None:
                    _write_picture(clean_folder, number, cut)
                yield film_frame(camera, cut, seed, number)
                done = number + 1
                progress(done, max(done, footage.count))

        assert made is not None
        if recording.codec is None:
            for number, frame in enumerate(shots()):
                _write_picture(made, number, frame)
        else:
            made.parent.mkdir(parents=True, exist_ok=True)
            encode(made, shots(), recording.codec, recording.quality, recording.rate or footage.rate, out.suffix)
    return done


@contextmanager
def _made(out: Path | None) -> Iterator[Path | None]:
    """Yield the name of an output while it is made; it gets its own at the end, and is removed on an error."""
    if out is None:
        yield None
        return
    remove_abandoned(out)
    made = partial_of(out)
    try:
        yield made
        move_into_place(made, out)
    except BaseException:
        if made.is_dir():
            shutil.rmtree(made)
        made.unlink(missing_ok=True)
        raise


def _write_picture(folder: Path, number: int, frame: Frame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{number:06d}.png"
    with at(place):
        place.write_bytes(encode_png(frame[..., None] if frame.ndim == 2 else frame))


def encode(path: Path, frames: Iterable[Frame], codec: str, quality: int, rate: Fraction, suffix: str) -> None:
    """Write frames as a video of 4:2:0, tagged as limited range BT.709; the same frames give the same bytes.

    Parameters
    ----------
    path
        File to write.
    frames
        ``(H, W, 3)`` or ``(H, W)``, uint8, of even sizes.
    codec, quality
        A key of `CODECS`; constant rate factor.
    rate
        Frames a second.
    suffix
        Of the container: one of `SUFFIXES`.
    """
    name, options = CODECS[codec]
    kind = CONTAINERS[suffix.lower()][0]
    # Bitexact: otherwise Matroska writes random identifiers.
    with av.open(address(path), "w", format=kind, container_options={"fflags": "+bitexact"}) as container:
        stream: Any = None
        for frame in frames:
            if stream is None:
                stream = container.add_stream(name, rate=rate, options={**options, "crf": str(quality)})
                _describe(stream.codec_context, frame, kind, codec)
            container.mux(stream.encode(_planar(frame)))
        if stream is None:
            raise ValueError(f"{path}: found no frames, expected at least one")
        container.mux(stream.encode(None))


def _describe(context: Any, frame: Frame, kind: str, codec: str) -> None:
    context.height, context.width = frame.shape[:2]
    context.pix_fmt, context.thread_count = _YUV.pixels, THREADS
    context.color_range, context.colorspace = _LIMITED, _BT709
    context.color_primaries = context.color_trc = _BT709
    if codec == "hevc" and kind in ("mp4", "mov"):
        context.codec_tag = "hvc1"  # which players of Apple ask for


def _planar(frame: Frame) -> Any:
    """Return a frame for the encoder: each chroma sample is the mean of its four pixels."""
    height, width = frame.shape[:2]
    values = np.broadcast_to(frame[..., None] if frame.ndim == 2 else frame, (height, width, 3))
    black = [np.full((height, width), _YUV.luma[0]), *[np.full((height // 2, width // 2), _YUV.chroma[0])] * 2]
    planes = _YUV.added(black, values.transpose(2, 0, 1).astype(np.float32) / np.float32(255))
    planar = planar_frame(_YUV.coded(planes, _YUV), _YUV.pixels)
    planar.color_range, planar.colorspace = _LIMITED, _BT709
    return planar
