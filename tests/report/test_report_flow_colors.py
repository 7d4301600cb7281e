import colorsys

import numpy as np
import pytest
from numpy.typing import NDArray

from self2align.report.flow_colors import BEYOND, color_wheel, flow_to_rgb, round_reach, wheel_picture


def color(u: float, v: float, reach: float = 1.0) -> tuple[int, int, int]:
    field = np.array([u, v], dtype=np.float32).reshape(2, 1, 1)
    red, green, blue = flow_to_rgb(field, reach)[0, 0].tolist()
    return red, green, blue


def hue(u: float, v: float) -> float:
    red, green, blue = (value / 255 for value in color(u, v))
    return colorsys.rgb_to_hsv(red, green, blue)[0]


def constant(u: float, v: float) -> NDArray[np.float32]:
    return np.broadcast_to(np.array([u, v], np.float32)[:, None, None], (2, 20, 20)).copy()


def test_no_motion_is_white() -> None:
    assert color(0, 0) == (255, 255, 255)


def test_the_wheel_is_the_published_one() -> None:
    wheel = color_wheel()
    assert wheel.shape == (55, 3)
    # Where Baker et al.'s arcs begin: red, yellow, green, cyan, blue, magenta.
    corners = wheel[[0, 15, 21, 25, 36, 49]]
    assert corners.tolist() == [[1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1]]


def test_motion_to_the_right_is_red() -> None:
    assert color(1, 0) == (255, 0, 0)


@pytest.mark.parametrize("angle", np.linspace(0, np.pi, 7))
def test_opposite_directions_have_clearly_different_hues(angle: float) -> None:
    u, v = float(np.cos(angle)), float(np.sin(angle))
    distance = abs(hue(u, v) - hue(-u, -v))
    assert min(distance, 1 - distance) > 0.25


def test_saturation_grows_with_length() -> None:
    saturations = []
    for length in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        red, green, blue = (value / 255 for value in color(0.6 * length, -0.8 * length))
        saturations.append(colorsys.rgb_to_hsv(red, green, blue)[1])
    assert saturations == sorted(set(saturations))
    assert saturations[0] == 0
    assert saturations[-1] == 1


def test_the_reach_scales_the_field() -> None:
    assert color(3, 4, reach=10) == color(0.3, 0.4)


def test_beyond_the_reach_is_darker() -> None:
    assert color(2, 0) == (int(255 * BEYOND), 0, 0)


def test_unknown_motion_is_black() -> None:
    assert color(float("nan"), 0) == (0, 0, 0)


def test_a_reach_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="reach: found 0 px"):
        color(1, 1, reach=0)


@pytest.mark.parametrize(("length", "reach"), [(0.0, 1), (1.0, 1), (1.5, 2), (3.0, 5), (5.0, 5), (7.0, 10), (60, 100)])
def test_the_reach_is_round_and_at_or_above_the_motion(length: float, reach: float) -> None:
    assert round_reach(constant(0, length)) == reach


def test_one_wild_vector_does_not_set_the_reach() -> None:
    field = constant(0.5, 0)
    field[:, 0, 0] = 300
    assert round_reach(field) == 1


def test_the_legend_is_white_outside_and_in_its_middle() -> None:
    picture = wheel_picture(41)
    assert picture.shape == (41, 41, 3)
    assert (picture[0, 0] == 255).all()
    assert (picture[20, 20] == 255).all()
    assert picture[20, 40].tolist() == [255, 0, 0]
