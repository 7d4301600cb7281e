"""Which scenes of a store, and which of their frames, pairs are made of."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from self2align.noise.profile import NoiseProfile
from self2align.noise.scenes import SceneNoise, scene_noise, some_frames
from self2align.pairs.evidence import Evidence, judge
from self2align.runtime.progress import Progress
from self2align.runtime.scratch import write_atomically
from self2align.runtime.workers import run_tasks
from self2align.stores.frames import FrameStore, SceneRecord, opened
from self2align.stores.pairs import ROLES, PairStore

SHARED = 0.1  # of the variance of the noise: less in common, and frames can judge each other
FARTHEST = 8  # frames; further apart, little of a moving scene is still seen
HIDDEN = 4  # frames: where a codec repeats so much noise that its share cannot be told, most of it is renewed by then
ALIKE = 0.1  # of the variance of the noise: a difference that makes none to what is a copy


def usable_scenes(store: FrameStore, size: int) -> tuple[list[SceneRecord], list[dict[str, str]]]:
    """Return the scenes with a role in the pair store, and those left out because a crop does not fit.

    Raises
    ------
    ValueError
        If no scene with the role pairs remains.
    """
    candidates = [scene for scene in store.scenes if set(scene.roles) & set(ROLES)]
    fits = [scene for scene in candidates if min(scene.height, scene.width) >= size]
    skipped = [
        {"scene": scene.title, "why": f"{scene.height} x {scene.width} px: smaller than a crop of {size} px"}
        for scene in candidates
        if scene not in fits
    ]
    if not any("pairs" in scene.roles for scene in fits):
        raise ValueError(
            f"{store.path}: found no scene with the role 'pairs' of at least {size} x {size} px "
            f"({len(skipped)} too small), expected at least one"
        )
    return fits, skipped


@dataclass(frozen=True)
class Judged:
    """What is known of a scene before pairs are made of it.

    Attributes
    ----------
    evidence
        Which of its frames pairs are made of.
    noise
        Of these, as measured or as added.
    stride
        See `stride_of`.
    """

    evidence: Evidence
    noise: SceneNoise
    stride: int = 1


def stride_of(profile: NoiseProfile, frames: int) -> int:
    """Return the distance of frames whose noise is independent enough to judge each other, at most `FARTHEST`.

    A codec carries noise from frame to frame, along the motion: pairs of near frames would teach a network to keep it.

    Parameters
    ----------
    profile
        Of the noise.
    frames
        Number of frames of the scene.
    """
    apart = next((at for at, share in enumerate(profile.along, 1) if share <= SHARED), len(profile.along) + 1)
    if profile.least and not profile.along.size:
        apart = HIDDEN
    return max(1, min(apart, FARTHEST, (frames - 1) // 2))


def judge_scenes(
    noisy: Path,
    scenes: Sequence[SceneRecord],
    folder: Path,
    progress: Progress,
    profiles: Mapping[str, NoiseProfile],
) -> list[Judged]:
    """Judge all frames of the scenes of a store, on all workers; each scene once, whatever is killed.

    Parameters
    ----------
    noisy, scenes
        Store of noisy frames; some of its scenes.
    folder
        Of unfinished work, where the scenes that are done are kept.
    progress
        Called with scenes done and all scenes.
    profiles
        The noise of scenes by title, as far as it is relied on.
    """
    tasks = [
        (noisy, scene, profiles.get(scene.title), folder / f"judged-{number}.json")
        for number, scene in enumerate(scenes)
    ]
    return run_tasks(_judged_once, tasks, progress)


def _judged_once(noisy: Path, scene: SceneRecord, profile: NoiseProfile | None, kept: Path) -> Judged:
    known = TypeAdapter(Judged)
    if kept.exists():
        return known.validate_json(kept.read_bytes())
    found = judge_scene(noisy, scene, profile)
    write_atomically(kept, known.dump_json(found))
    return found


def judge_scene(noisy: Path, scene: SceneRecord, profile: NoiseProfile | None = None) -> Judged:
    """Return which frames of a scene of a store pairs are made of, and their noise.

    A profile that is relied on decides whether pixels share it; single frames may take texture for such noise.
    """
    store = opened(noisy)

    def frames() -> Iterator[NDArray[np.float32]]:
        return (store.frames(scene, at, at + 1)[0] for at in range(scene.count))

    shared = profile is not None and profile.is_shared
    noise = None if shared else scene_noise(store, scene)
    if profile is not None and (noise is None or not noise.white):
        known = replace(SceneNoise.of(profile, some_frames(store, scene)), white=not shared)
        found = judge(frames(), known.line)
        return Judged(found, known, stride_of(profile, len(found.kept)))
    assert noise is not None
    found = judge(frames(), noise.line)
    if not (found.left_out and found.kept):
        return Judged(found, noise)
    # Copies and flat frames among those that were measured make a difference to the noise, and so to what is a copy.
    cleared = scene_noise(store, scene, found.kept)
    if np.allclose(cleared.line, noise.line, rtol=ALIKE, atol=0.0):
        return Judged(found, cleared)
    found = judge(frames(), cleared.line)
    return Judged(found, scene_noise(store, scene, found.kept or None))


def recorded_frames(pairs: Path, scenes: Sequence[SceneRecord]) -> list[tuple[int, ...]]:
    """Return for each scene the numbers of the frames that the pairs of a store are made of.

    Parameters
    ----------
    pairs
        Store of pairs, which records what was left out.
    scenes
        Of the store of frames that it was made from.
    """
    left_out = PairStore(pairs).attributes.get("left_out", {})
    without = [{at for kind in left_out.get(scene.title, {}).values() for at in kind} for scene in scenes]
    return [
        tuple(at for at in range(scene.count) if at not in dropped)
        for scene, dropped in zip(scenes, without, strict=True)
    ]


def recorded_strides(pairs: Path, scenes: Sequence[SceneRecord]) -> list[int]:
    """Return for each scene the distance of frames whose noise is independent, as a store of pairs records it."""
    strides = PairStore(pairs).attributes.get("strides", {})
    return [int(strides.get(scene.title, 1)) for scene in scenes]
