"""Making the pair store from noisy frames and an aligner."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from self2align.alignment.aligned import Aligned, align_both
from self2align.alignment.aligner import Aligner
from self2align.alignment.copies import copied_pixels
from self2align.alignment.exposure import LIMITS
from self2align.alignment.loading import load_aligner
from self2align.noise.model import NoiseSettings
from self2align.noise.profile import NoiseProfile
from self2align.noise.synthesis import warped_coding
from self2align.pairs.evidence import Evidence
from self2align.pairs.generate import crop_rows, cut_source
from self2align.pairs.plan import Footage, PairCrop, plan_crops
from self2align.pairs.scenes import Judged, judge_scenes, usable_scenes
from self2align.runtime.devices import device
from self2align.runtime.progress import Bars, silent
from self2align.runtime.scratch import file_digest, workspace
from self2align.stores.build import Table
from self2align.stores.codes import Coding, common
from self2align.stores.frames import FrameStore, SceneRecord, opened
from self2align.stores.pairs import CONFIDENCE, ROLES, table, write_pairs

KEPT = 8  # aligned pairs of frames, and decoded frames, that a worker caches


@lru_cache(maxsize=2)
def _aligner(path: Path, made: int) -> Aligner:
    return load_aligner(path, device())


def plan_pairs(
    scenes: Sequence[SceneRecord],
    *,
    offsets: Sequence[int],
    targets: int,
    crops: int,
    size: int,
    seed: int,
    kept: Sequence[tuple[int, ...]] | None = None,
    strides: Sequence[int] | None = None,
) -> list[PairCrop]:
    """Return the pairs to make of some scenes; see `self2align.pairs.plan.plan_crops`.

    ``kept`` holds for each scene the numbers of the frames that pairs are made of; None for all. ``strides`` holds the
    distance of frames whose noise is independent, which an offset of 1 stands for; None for 1.

    Raises
    ------
    ValueError
        If no scene with the role pairs is long enough for any offset.
    """
    chosen = kept or [tuple(range(scene.count)) for scene in scenes]
    footage = [
        Footage(scene.title, scene.count, scene.height, scene.width, one, stride)
        for scene, one, stride in zip(scenes, chosen, strides or [1] * len(scenes), strict=True)
    ]
    rows = plan_crops(footage, offsets=offsets, targets=targets, crops=crops, size=size, seed=seed)
    if not any("pairs" in scenes[row.scene].roles for row in rows):
        longest = max(len(one) for scene, one in zip(scenes, chosen, strict=True) if "pairs" in scene.roles)
        raise ValueError(
            f"generate_pairs.offsets: found {list(offsets)}, but the longest scene with the role 'pairs' has "
            f"{longest} frames that differ and show something; expected more than the least offset"
        )
    return rows


@dataclass(frozen=True)
class PairSettings:
    """How pairs are made.

    Attributes
    ----------
    offsets
        Frames between target and neighbour, before and after.
    targets_per_scene, crops_per_target
        Targets, evenly spaced over a scene; crops of each.
    crop, margin
        px; the margin is that of the unwarped neighbour.
    exposure
        Whether gain and offset between frames are compensated.
    kernel
        Of warped frames; see `self2align.alignment.warp.warp`.
    """

    offsets: tuple[int, ...]
    targets_per_scene: int
    crops_per_target: int
    crop: int
    margin: int
    exposure: bool
    kernel: str


@dataclass(frozen=True)
class PairsMade:
    """What a new pair store holds: its columns, its number of scenes, and what was left out with the reason.

    ``skipped`` lists scenes, ``frames_left_out`` has a line by scene of which some frames are no evidence, ``strides``
    the distance of independent frames where it is more than 1.
    """

    columns: dict[str, NDArray[Any]]
    scenes: int
    skipped: list[dict[str, str]]
    frames_left_out: dict[str, str]
    strides: dict[str, int]

    @property
    def notes(self) -> tuple[str, ...]:
        """Return a line for each scene that was left out, and for each of which frames were."""
        scenes = [f"left out {item['scene']}: {item['why']}" for item in self.skipped]
        apart = (
            f"{title}: pairs are {stride} frames apart; nearer frames share noise, which a codec carries along"
            for title, stride in self.strides.items()
        )
        return (*scenes, *(f"{title}: {note}" for title, note in self.frames_left_out.items()), *apart)


def make_pairs(
    *,
    noisy: Path,
    aligner: Path,
    out: Path,
    settings: PairSettings,
    parameters: Mapping[str, Any],
    seed: int,
    bars: Bars = silent,
    profiles: Mapping[str, NoiseProfile] | None = None,
) -> PairsMade:
    """Align noisy neighbours and write the store of scored pairs.

    Parameters
    ----------
    noisy, aligner
        Store of noisy frames; weights of the aligner.
    out
        Store of pairs to write.
    settings
        Which pairs are made, and how.
    parameters
        The same as JSON values, recorded in the store.
    seed
        Of the random places of the crops.
    bars
        Opens progress displays.
    profiles
        The noise of scenes by title, for confidence and scores where pixels share it; None, or no profile of a scene,
        for noise that they do not share.
    """
    store = FrameStore(noisy)
    scenes, skipped = usable_scenes(store, settings.crop)
    inputs: dict[str, Any] = {
        "params": dict(parameters),
        "seed": seed,
        "noisy": store.content,
        "aligner": file_digest(aligner),
    }
    relied = {title: one for title, one in (profiles or {}).items() if one.is_relied}
    known = {title: one for title, one in relied.items() if one.is_shared}
    if relied:
        inputs["noise"] = {title: one.record() for title, one in relied.items()}
    with workspace("generate_pairs", inputs, make_pairs) as scratch:
        with bars("judging frames") as progress:
            judged = judge_scenes(noisy, scenes, scratch, progress, relied)
        rows = plan_pairs(
            scenes,
            offsets=settings.offsets,
            targets=settings.targets_per_scene,
            crops=settings.crops_per_target,
            size=settings.crop,
            seed=seed,
            kept=[one.evidence.kept for one in judged],
            strides=[one.stride for one in judged],
        )
        layout, held, warped = _layout(store, scenes, len(rows), settings)
        how = (settings.crop, settings.margin, settings.exposure, settings.kernel, held, warped)
        noise = [known.get(scene.title) for scene in scenes]
        fill = partial(fill_pairs, noisy, aligner, scenes, judged, noise, rows, *how)
        titles = [scene.title for scene in scenes]
        left_out = {title: one.evidence for title, one in zip(titles, judged, strict=True) if one.evidence.left_out}
        strides = {title: one.stride for title, one in zip(titles, judged, strict=True) if one.stride > 1}
        attributes = {
            "generate_pairs": dict(parameters),
            "noise": NoiseSettings.recorded(store.attributes).record(),
            "scenes": titles,
            "seed": seed,
            "skipped": skipped,
            **_found(known, strides, left_out),
        }
        with bars("aligning pairs") as progress:
            columns = write_pairs(out, layout, fill, attributes, scratch, progress)
    return PairsMade(columns, len(scenes), skipped, {title: one.note for title, one in left_out.items()}, strides)


def _found(
    noise: Mapping[str, NoiseProfile], strides: Mapping[str, int], left_out: Mapping[str, Evidence]
) -> dict[str, Any]:
    """Return what the store records of scenes by title, each only where there is something to record."""
    found: dict[str, Any] = {}
    if noise:
        found["noise_profile"] = NoiseProfile.mean_of(list(noise.values())).record()
    if strides:
        found["strides"] = dict(strides)
    if left_out:
        found["left_out"] = {
            title: {kind: list(frames) for kind, frames in one.left_out.items()} for title, one in left_out.items()
        }
    return found


def _layout(
    store: FrameStore, scenes: Sequence[SceneRecord], rows: int, settings: PairSettings
) -> tuple[Table, Coding, Coding]:
    """Return the layout of the pair store, and how it holds noisy frames and warped ones."""
    codings, channels = {store.coding(scene) for scene in scenes}, store.channels(scenes[0])
    held = common(codings)
    warped = warped_coding(NoiseSettings.recorded(store.attributes), codings, stretch=max(LIMITS))
    layout = table(rows, settings.crop, settings.margin, channels, held, warped, settings.crops_per_target)
    return layout, held, warped


def fill_pairs(
    noisy: Path,
    aligner: Path,
    scenes: Sequence[SceneRecord],
    judged: Sequence[Judged],
    noise: Sequence[NoiseProfile | None],
    rows: Sequence[PairCrop],
    size: int,
    margin: int,
    exposure: bool,
    kernel: str,
    held: Coding,
    warped: Coding,
    name: str,
    start: int,
    stop: int,
) -> dict[str, NDArray[Any]]:
    """Return rows ``start`` to ``stop`` of every array of the pair store.

    The confidence is 0 where a frame repeats the other, as `self2align.alignment.copies` tells by the noise that is
    confirmed. Frames of all scenes become codes of ``held``.
    """
    store, align = opened(noisy), _aligner(aligner.resolve(), aligner.stat().st_mtime_ns)
    pieces = []

    # One estimate gives both directions: the next target needs the reverse direction of this one.
    @lru_cache(maxsize=KEPT)
    def aligned(number: int, first: int, second: int) -> tuple[Aligned, Aligned]:
        frames = decoded(number, first)[1], decoded(number, second)[1]
        copied = copied_pixels(*frames, judged[number].evidence.line)
        both = align_both(*frames, align, exposure, noise[number])
        return both if copied is None else (_distrusted(both[0], copied), _distrusted(both[1], copied))

    @lru_cache(maxsize=KEPT)
    def decoded(number: int, frame: int) -> tuple[NDArray[Any], Tensor]:
        scene = scenes[number]
        codes = held.recode(store.codes(scene, frame, frame + 1)[0], store.coding(scene))
        return codes, torch.from_numpy(held.decode(codes)).to(device())

    for (number, target, source), crops in groupby(
        rows[start:stop], lambda crop: (crop.scene, crop.target, crop.source)
    ):
        crops_of_pair = list(crops)
        both = aligned(number, min(target, source), max(target, source))
        (target_codes, target_frame), (source_codes, source_frame) = decoded(number, target), decoded(number, source)
        direction = both[0 if target < source else 1]
        values = crop_rows(direction, target_frame, source_frame, crops_of_pair, size, margin, kernel, noise[number])
        values |= {
            f"noise_{name}": np.full(len(crops_of_pair), value, np.float32)
            for name, value in asdict(judged[number].noise).items()
        }
        pieces.append(_encode(values, scenes[number], crops_of_pair, target_codes, source_codes, size, margin, warped))
    return {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}


def _distrusted(aligned: Aligned, where: Tensor) -> Aligned:
    """Return an alignment with confidence 0 at some pixels, ``(H, W)``."""
    return replace(aligned, confidence=torch.where(where, 0.0, aligned.confidence))


def _encode(
    values: dict[str, NDArray[Any]],
    scene: SceneRecord,
    crops: Sequence[PairCrop],
    target: NDArray[Any],
    source: NDArray[Any],
    size: int,
    margin: int,
    warped: Coding,
) -> dict[str, NDArray[Any]]:
    boxes = [np.s_[:, crop.top : crop.top + size, crop.left : crop.left + size] for crop in crops]
    one = crops[0]
    whole = {
        "scene": one.scene,
        "target_frame": one.target,
        "source_frame": one.source,
    }
    columns = {name: np.full(len(crops), value, np.int32) for name, value in whole.items()}
    role = np.int8(ROLES.index("pairs" if "pairs" in scene.roles else "validation"))
    return {
        **values,
        **columns,
        "role": np.full(len(crops), role, np.int8),
        "top": np.array([crop.top for crop in crops], np.int32),
        "left": np.array([crop.left for crop in crops], np.int32),
        "target": np.stack([target[box] for box in boxes]),
        "source": np.stack([cut_source(source, c.top, c.left, size, margin) for c in crops]),
        "warped": warped.encode(values["warped"]),
        "transfer": values["transfer"].astype(np.float16),
        "confidence": CONFIDENCE.encode(values["confidence"]),
    }
