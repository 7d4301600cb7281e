"""The noise of all scenes of a store: known where it was added, else measured."""

from pathlib import Path

import torch

from self2align.alignment.copies import COPIED, MOSTLY, block_power
from self2align.measuring.profile import measure_profile
from self2align.measuring.triples import BLOCK, Read, Values
from self2align.noise.model import NoiseSettings
from self2align.noise.profile import NoiseProfile
from self2align.noise.synthesis import scene_model
from self2align.runtime.progress import Progress
from self2align.runtime.workers import run_tasks
from self2align.stores.frames import SceneRecord, opened

LONGEST = 200  # frames of a scene, from its middle: enough, whatever its length
SIDE = 640  # px, of the middle of larger frames


def measure_scenes(noisy: Path, targets: int, progress: Progress) -> dict[str, NoiseProfile]:
    """Return the noise of each scene of a store by title, on all workers.

    Parameters
    ----------
    noisy, targets
        Store of noisy frames; see `self2align.measuring.profile.measure_profile`.
    progress
        Called with scenes done and all scenes.
    """
    scenes = opened(noisy).scenes
    found = run_tasks(scene_profile, [(noisy, scene, targets) for scene in scenes], progress)
    return {scene.title: one for scene, one in zip(scenes, found, strict=True)}


def scene_profile(noisy: Path, scene: SceneRecord, targets: int) -> NoiseProfile:
    """Return the noise of a scene of a store: of Gaussian and Poisson noise as it was added, else measured.

    Parameters
    ----------
    noisy, scene
        Store of noisy frames; one of its scenes.
    targets
        See `self2align.measuring.profile.measure_profile`.
    """
    store = opened(noisy)
    model = scene_model(NoiseSettings.recorded(store.attributes), int(store.attributes["seed"]), scene.title)
    if not model.measured:
        return NoiseProfile.white(store.channels(scene), *model.line)
    first = max(0, (scene.count - LONGEST) // 2)

    def read(at: int) -> Values:
        return middle(store.frames(scene, first + at, first + at + 1)[0]).copy()

    numbers = distinct(read, min(scene.count, LONGEST))
    return measure_profile(lambda at: read(numbers[at]), len(numbers), targets)


def middle(frame: Values) -> Values:
    """Return the middle of a frame, ``(C, H, W)``, at most 640 px each way: enough to measure its noise."""
    top, left = (max(0, (side - SIDE) // 2) for side in frame.shape[-2:])
    return frame[..., top : top + SIDE, left : left + SIDE]


def distinct(read: Read, count: int) -> list[int]:
    """Return the numbers of the frames that do not repeat the one before.

    Parameters
    ----------
    read, count
        See `self2align.measuring.profile.measure_profile`.
    """
    before = torch.from_numpy(read(0))
    if min(before.shape[-2:]) < BLOCK * 2:
        return list(range(count))
    kept = [0]
    for at in range(1, count):
        frame = torch.from_numpy(read(at))
        own = torch.minimum(block_power(before), block_power(frame))
        same = block_power(frame - before) / 2 <= COPIED**2 * own
        shown = own > 0
        if not shown.any() or float(same[shown].float().mean()) < MOSTLY:
            kept.append(at)
        before = frame
    return kept
