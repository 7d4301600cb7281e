"""The default aligner: a small network weighs hypotheses of the motion, coarse to fine, from a DIS start.

Lucas and Kanade (1981) solve for the motion of a window in closed form. The network learns, from noisy frames alone,
which window fits a place best (small at edges and on moving parts, large where noise dominates), and where the motion
of a neighbouring place fits better.
"""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn import functional

from self2align.alignment.dis import Dis
from self2align.alignment.filters import enlarge, halve, low_pass
from self2align.alignment.warp import warp

WINDOWS = (1.0, 2.0, 4.0)  # standard deviations, cells of 2 x 2 px
BLUR = 1.0  # px
COST_BLUR = 1.0  # cells
AWAY = 4  # cells: distance of the neighbouring motions that are tried
DAMPING = 3e-4  # added to squared gradients, white being 1.0: flat places do not move
REACH = 2.0  # px, limit of one estimate
START_BLUR = 1.0  # px
DOUBT = (-2.0, 6.0)  # limits of the logarithm of the expected disagreement
COARSE = 4  # px; means over 4 x 4 px have little noise
DEEPEST = 4  # the network halves its features twice


def statistics(target: Tensor, warped: Tensor) -> Tensor:
    """Return the terms of the Lucas-Kanade equations, averaged over cells of 2 x 2 px.

    Parameters
    ----------
    target, warped
        ``(N, 1, H, W)``, low-passed.

    Returns
    -------
    Tensor
        ``(N, 5, ceil(H / 2), ceil(W / 2))``: gx gx, gx gy, gy gy, gx d, gy d, for the mean gradient g of both
        frames (the symmetric form, whose noise favours neither frame) and d = target - warped.
    """
    mean, apart = (target + warped) / 2, target - warped
    padded = functional.pad(mean, (1, 1, 1, 1), mode="replicate")
    gx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    gy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    # Separately, because pooling five channels at once is several times slower on a CPU.
    return torch.cat([halve(a * b) for a, b in ((gx, gx), (gx, gy), (gy, gy), (gx, apart), (gy, apart))], 1)


def _windows(cells: Tensor) -> list[Tensor]:
    """Return the statistics over each window of `WINDOWS`."""
    # The largest window at half the size: nearly the same result, four times as fast.
    coarse = low_pass(halve(cells), WINDOWS[-1] / 2)
    return [*(low_pass(cells, window) for window in WINDOWS[:-1]), enlarge(coarse, *cells.shape[-2:])]


def solve(sums: Tensor) -> Tensor:
    """Return the damped Lucas-Kanade motion of each window, ``(N, 5, h, w)`` to ``(N, 2, h, w)``, px."""
    xx, xy, yy, x, y = sums.unbind(1)
    xx, yy = xx + DAMPING, yy + DAMPING
    determinant = xx * yy - xy * xy
    motion = torch.stack([yy * x - xy * y, xx * y - xy * x], 1) / determinant[:, None]
    return motion.clamp(-REACH, REACH)


def coarse_exposure(target: Tensor, warped: Tensor) -> tuple[Tensor, Tensor]:
    """Return gain and offset that bring each warped frame to the exposure of its target, ``(N, 1, 1, 1)``.

    From means over 4 x 4 px, before the alignment is known: the gain is a ratio of standard deviations. Without it, a
    flicker of a few levels would move every edge. `self2align.alignment.exposure` estimates exposure after the
    alignment. Frames are ``(N, 1, H, W)``.
    """
    size = min(COARSE, *target.shape[-2:])
    t, w = (functional.avg_pool2d(frame, size).flatten(1) for frame in (target, warped))
    # The floor keeps the gain near 1 for flat frames, whose standard deviation is noise.
    deviation = [one.std(1, correction=0, keepdim=True) + 0.02 for one in (t, w)]
    gain = (deviation[0] / deviation[1]).clamp(0.5, 2)
    offset = (t - gain * w).median(1, keepdim=True).values
    return gain[..., None, None], offset[..., None, None]


def away(field: Tensor, cells: int) -> list[Tensor]:
    """Return the field shifted by ``cells`` to the left, right, above and below, edges repeated."""
    height, width = field.shape[-2:]
    padded = functional.pad(field, (cells,) * 4, mode="replicate")
    places = [(cells, 0), (cells, 2 * cells), (0, cells), (2 * cells, cells)]
    return [padded[..., y : y + height, x : x + width] for y, x in places]


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1), nn.LeakyReLU(0.1))


class RefinedDis(nn.Module):
    """A field of cells of 2 x 2 px, refined coarse to fine by one network with the same weights at all levels.

    It also predicts its errors: `estimate` returns the field and the expected disagreement.

    Parameters
    ----------
    channels
        C of the frames; any. The mean of the channels is aligned, which keeps all of the signal that they share.
    start
        "dis": OpenCV's DIS on low-passed frames; "zero": no motion, so the network learns everything.
    levels
        Of the pyramid; each reaches 2 px at its own scale. Use 1 from DIS, 6 from zero.
    width
        Number of features at a quarter of the frames' size.
    """

    def __init__(
        self,
        channels: int,
        *,
        start: Literal["dis", "zero"] = "dis",
        levels: Annotated[int, Ge(1), Le(8)] = 1,
        width: Annotated[int, Ge(4)] = 16,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.initial = Dis(1, blur=START_BLUR, preset="medium") if start == "dis" else None
        self.levels = levels
        middle, deep = width * 3 // 2, width * 2
        self.kinds = 1 + 4
        inputs = 2 + 2 + 2 * len(WINDOWS) + 3 + self.kinds
        self.first = _conv(inputs, width)
        self.quarter = _conv(width, width)
        self.eighth = nn.Sequential(_conv(width, middle, 2), _conv(middle, middle))
        self.sixteenth = nn.Sequential(_conv(middle, deep, 2), _conv(deep, deep))
        self.up_eighth = _conv(deep + middle, middle)
        self.up_quarter = _conv(middle + width, width)
        self.last = nn.Conv2d(width, self.kinds + len(WINDOWS) + 3, 3, padding=1)
        # Initially the network returns its start field.
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)
        with torch.no_grad():
            self.last.bias[0] = 4.0
        self.sharpness = nn.Parameter(torch.tensor(1.0))

    def start(self, target: Tensor, source: Tensor) -> Tensor:
        """Return the start field, ``(N, 2, H, W)``, px; nothing here is learned."""
        if self.initial is None:
            return target.new_zeros(len(target), 2, *target.shape[-2:])
        with torch.no_grad():
            return self.initial(target, source)

    def forward(self, target: Tensor, source: Tensor, start: Tensor | None = None) -> Tensor:
        """Return the transfer field; see `self2align.alignment.aligner.Aligner`. ``start`` is the result of `start`."""
        return self.fields(target, source, start)[-1][:, :2]

    def estimate(self, target: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """Return the transfer field and the expected disagreement; see `self2align.alignment.aligner.estimate`."""
        final = self.fields(target, source)[-1]
        return final[:, :2], final[:, 2].exp()

    def fields(self, target: Tensor, source: Tensor, start: Tensor | None = None) -> list[Tensor]:
        """Return the result of each level, coarse to fine, all ``(N, 3, H, W)``.

        Channels: the transfer field, px, and the logarithm of the expected disagreement, which is the mean square of
        the low-passed residual over what noise explains.
        """
        height, width = target.shape[-2:]
        field = self.start(target, source) if start is None else start
        gray = torch.cat([target, source]).mean(1, keepdim=True)
        pyramid = [gray]
        for _ in range(self.levels - 1):
            pyramid.append(halve(pyramid[-1]))
        cells = [(-(-one.shape[-2] // 2), -(-one.shape[-1] // 2)) for one in pyramid]
        for _ in range(self.levels):
            field = halve(field) / 2
        results = []
        for frames, size in zip(reversed(pyramid), reversed(cells), strict=True):
            if field.shape[-2:] != size:
                field = 2 * enlarge(field, *size)
            one, other = low_pass(frames, BLUR).chunk(2)
            # Each level is trained on its own result: the same dB after training, in two thirds of the time per step.
            better, doubt = self._refine(one, other, field.detach())
            field = better
            results.append((better, doubt))
        sizes = [*reversed(cells), (height, width)]
        return [self._full(*one, sizes[number + 1 :]) for number, one in enumerate(results)]

    @staticmethod
    def _full(field: Tensor, doubt: Tensor, sizes: list[tuple[int, int]]) -> Tensor:
        for size in sizes:
            field, doubt = 2 * enlarge(field, *size), enlarge(doubt, *size)
        return torch.cat([field, doubt.clamp(*DOUBT)], 1)

    def _refine(self, target: Tensor, source: Tensor, field: Tensor) -> tuple[Tensor, Tensor]:
        """Return the refined field of one level and its doubt; frames ``(N, 1, H, W)``, low-passed; field in cells."""
        height, width = field.shape[-2:]
        hypotheses, motions, costs, features = self._candidates(target, source, field)
        tall, wide = features.shape[-2:]
        x = functional.pad(features, (0, -wide % DEEPEST, 0, -tall % DEEPEST), mode="replicate")
        x = self.quarter(self.first(x.contiguous(memory_format=torch.channels_last)))
        eighth = self.eighth(x)
        deep = self.sixteenth(eighth)
        up = self.up_eighth(torch.cat([enlarge(deep, *eighth.shape[-2:]), eighth], 1))
        up = self.last(self.up_quarter(torch.cat([enlarge(up, *x.shape[-2:]), x], 1))).contiguous()
        up = enlarge(up, height, width)
        # Costs have the resolution of a cell, the network's output that of four: motions change sharply at edges.
        gains = up[:, self.kinds : self.kinds + len(WINDOWS)]
        weights = (up[:, : self.kinds] - self.sharpness * costs).softmax(1)
        field = up[:, self.kinds + len(WINDOWS) : -1]
        for factors, parts in ((weights, hypotheses), (gains, motions)):
            for number, part in enumerate(parts):
                field = torch.addcmul(field, factors[:, number : number + 1], part)
        return field, up[:, -1:]

    @torch.no_grad()
    def _candidates(
        self, target: Tensor, source: Tensor, field: Tensor
    ) -> tuple[list[Tensor], list[Tensor], Tensor, Tensor]:
        """Return candidate fields, ``(N, 2, h, w)`` each, estimates of motion, the costs of the fields, and features.

        Costs are ``(N, K, h, w)``; features have half the size, which loses nothing and takes a third of the time.
        """
        warped = warp(source, 2 * enlarge(field, *target.shape[-2:]))
        gain, offset = coarse_exposure(target, warped)
        warped = gain * warped + offset
        sums = _windows(statistics(target, warped))
        motions = [solve(one) / 2 for one in sums]
        hypotheses = [field, *away(field, AWAY)]
        small, other = halve(target), gain * halve(source) + offset
        costs = torch.cat([(small - warp(other, one)).abs() for one in hypotheses], 1)
        costs = 30 * low_pass(costs, COST_BLUR)
        mean = target.mean((1, 2, 3), keepdim=True)
        features = [
            3 * (small - mean),
            3 * (halve(warped) - mean),
            field - low_pass(field, WINDOWS[-1]),
            *[4 * motion for motion in motions],
            10 * (3 * sums[0][:, [0, 2]] + 1e-5).sqrt(),
            300 * sums[0][:, 1:2],
            costs - 3,
        ]
        return hypotheses, motions, costs, torch.cat([halve(one) for one in features], 1)
