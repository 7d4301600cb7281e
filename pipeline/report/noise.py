"""The picture of the noise that was measured. The same noise gives the same bytes."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from self2align.noise.profile import REACH, NoiseProfile
from self2align.report.plots import COLORS, plain_axis, save_png

LONGEST = 20  # letters of a title
SHOWN = 3  # scenes, the first ones
RGB = ("#D55E00", "#009E73", "#0072B2")


def noise_png(profiles: Mapping[str, NoiseProfile]) -> bytes:
    """Return the noise of the first scenes as a PNG file, a row each.

    Its deviation by brightness and channel; the correlation of neighbouring pixels; its spectrum along x; what frames
    carry along the motion.
    """
    chosen = list(profiles.items())[:SHOWN]
    figure = Figure(figsize=(15, 3.2 * len(chosen)), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.08))
    axes = figure.subplots(len(chosen), 4, squeeze=False)
    for row, (title, profile) in zip(axes, chosen, strict=True):
        _levels(row[0], title, profile)
        _covariance(row[1], profile)
        _spectrum(row[2], profile)
        _along(row[3], profile)
    return save_png(figure)


def _levels(axis: Axes, title: str, profile: NoiseProfile) -> None:
    colors = RGB if len(profile.variances) == len(RGB) else COLORS
    for color, variances in zip(colors, profile.variances, strict=False):
        axis.plot(255 * profile.levels, 255 * np.sqrt(variances), color=color, linewidth=1.4)
    axis.set_ylim(bottom=0)
    name = title if len(title) <= LONGEST else f"...{title[3 - LONGEST :]}"
    plain_axis(axis, f"{name}: deviation\nby brightness, of 255", grid="y")


def _covariance(axis: Axes, profile: NoiseProfile) -> None:
    reach = profile.reach
    whole = np.zeros((2 * REACH + 1, 2 * REACH + 1))
    inner = slice(REACH - reach, REACH + reach + 1)
    whole[inner, inner] = np.mean([profile.covariance[one, one] for one in range(len(profile.covariance))], 0)
    axis.imshow(whole, cmap="RdBu_r", vmin=-1, vmax=1, extent=(-REACH - 0.5, REACH + 0.5, REACH + 0.5, -REACH - 0.5))
    plain_axis(axis, f"correlation with pixels\naround (next one {profile.neighbour:.2f})", grid="y")
    axis.grid(visible=False)


def _spectrum(axis: Axes, profile: NoiseProfile) -> None:
    size = 64
    power = profile.power(size)
    for color, channel in zip(RGB if len(power) == len(RGB) else COLORS, range(len(power)), strict=False):
        axis.plot(np.arange(size // 2 + 1) / size, power[channel, channel, 0, : size // 2 + 1].real, color=color)
    axis.set_ylim(bottom=0)
    plain_axis(axis, "power along x, by cycles\nper px (independent noise: 1)", grid="y")


def _along(axis: Axes, profile: NoiseProfile) -> None:
    values = np.pad(profile.along, (0, max(0, 8 - len(profile.along))))[:8]
    axis.bar(np.arange(1, len(values) + 1), values, color=COLORS[0])
    axis.set_ylim(0, 1)
    plain_axis(axis, f"carried to frames 1, 2, ... away\n(shared by rows: {profile.rows:.2f})", grid="y")
