"""The default aligner: Lucas-Kanade estimates at several window sizes, weighed by a small network, from a DIS start.

Lucas and Kanade (1981) solve for the motion of a window in closed form. Which window serves a place best
(small at edges and on moving parts, large where noise rules) is what the network learns, from noisy frames alone.
"""

from typing import Annotated, Literal

import torch
from annotated_types import Ge, Le
from torch import Tensor, nn
from torch.nn import functional

from pipeline.alignment.dis import Dis
from pipeline.alignment.filters import low_pass
from pipeline.alignment.warp import warp

WINDOWS = (1.0, 2.0, 4.0)  # standard deviations, cells of 2 x 2 px
BLUR = 1.0  # px
DAMPING = 3e-4  # of the squared gradient, white being 1.0: flat places do not move
REACH = 2.0  # px, of one estimate
START_BLUR = 1.5  # px
COARSE = 4  # px; means over so many squared that their noise is small
CELLS = 8  # the network halves a field of cells three times


def halve(image: Tensor) -> Tensor:
    """Return means over 2 x 2 px, ``(N, C, H, W)`` to ``(N, C, ceil(H / 2), ceil(W / 2))``."""
    if image.shape[-1] % 2 or image.shape[-2] % 2:
        image = functional.pad(image, (0, image.shape[-1] % 2, 0, image.shape[-2] % 2), mode="replicate")
    return functional.avg_pool2d(image, 2)


def enlarge(image: Tensor, height: int, width: int) -> Tensor:
    """Return an image of twice the size, cut to ``height x width``; bilinear."""
    return functional.interpolate(image, scale_factor=2, mode="bilinear", align_corners=False)[..., :height, :width]


def statistics(target: Tensor, warped: Tensor) -> Tensor:
    """Return what the Lucas-Kanade equations need, means over cells of 2 x 2 px.

    Parameters
    ----------
    target, warped
        ``(N, 1, H, W)``, low-passed.

    Returns
    -------
    Tensor
        ``(N, 5, ceil(H / 2), ceil(W / 2))``: gx gx, gx gy, gy gy, gx d, gy d, for the mean gradient g of both
        frames (the symmetric form, whose noise does not lean to one of them) and d = target - warped.
    """
    mean, apart = (target + warped) / 2, target - warped
    padded = functional.pad(mean, (1, 1, 1, 1), mode="replicate")
    gx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    gy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    # One by one: pooling five channels at once is several times slower on a CPU.
    return torch.cat([halve(a * b) for a, b in ((gx, gx), (gx, gy), (gy, gy), (gx, apart), (gy, apart))], 1)


def _windows(cells: Tensor) -> list[Tensor]:
    """Return the statistics over each window of `WINDOWS`."""
    # The largest at half the size: nearly the same, four times as fast.
    coarse = low_pass(halve(cells), WINDOWS[-1] / 2)
    return [*(low_pass(cells, window) for window in WINDOWS[:-1]), enlarge(coarse, *cells.shape[-2:])]


def solve(sums: Tensor) -> Tensor:
    """Return the motion that explains each window's difference, damped, ``(N, 5, h, w)`` to ``(N, 2, h, w)``, px."""
    xx, xy, yy, x, y = sums.unbind(1)
    xx, yy = xx + DAMPING, yy + DAMPING
    determinant = xx * yy - xy * xy
    motion = torch.stack([yy * x - xy * y, xx * y - xy * x], 1) / determinant[:, None]
    return motion.clamp(-REACH, REACH)


def expose(target: Tensor, warped: Tensor) -> Tensor:
    """Return the warped frame in the light of the target: gain and offset of each frame, ``(N, 1, H, W)``.

    A change of light is no motion; without this a flicker of a few levels would move every edge.
    """
    t, w = (functional.avg_pool2d(frame, COARSE).flatten(1) for frame in (target, warped))
    # The floor keeps flat frames, whose spread is noise, at a gain of 1.
    gain = ((t.std(1, keepdim=True) + 0.02) / (w.std(1, keepdim=True) + 0.02)).clamp(0.5, 2)
    offset = (t - gain * w).median(1, keepdim=True).values
    return warped * gain[..., None, None] + offset[..., None, None]


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1), nn.LeakyReLU(0.1))


class LucasKanade(nn.Module):
    """A field of cells of 2 x 2 px, refined coarse to fine by one network with the same weights at all levels.

    Parameters
    ----------
    channels
        C of the frames; any: their mean is aligned, which keeps all of the signal that they share.
    start
        "dis": OpenCV's DIS (fast) on low-passed frames; "zero": no motion, for a network that learns all by itself.
    levels
        Of the pyramid; each reaches 2 px of its own size. 2 from DIS, 6 from zero.
    width
        Features at a quarter of the frames' size.
    """

    def __init__(
        self,
        channels: int,
        *,
        start: Literal["dis", "zero"] = "dis",
        levels: Annotated[int, Ge(1), Le(8)] = 2,
        width: Annotated[int, Ge(4)] = 24,
    ) -> None:
        super().__init__()
        self.channels = channels
        self.start = Dis(1, blur=START_BLUR, preset="fast") if start == "dis" else None
        self.levels = levels
        middle, deep = width * 3 // 2, width * 2
        inputs = 3 + 2 + 2 * len(WINDOWS) + 3
        self.first = nn.Sequential(nn.Conv2d(inputs, width, 4, stride=2, padding=1), nn.LeakyReLU(0.1))
        self.quarter = _conv(width, width)
        self.eighth = nn.Sequential(_conv(width, middle, 2), _conv(middle, middle))
        self.sixteenth = nn.Sequential(_conv(middle, deep, 2), _conv(deep, deep))
        self.up_eighth = _conv(deep + middle, middle)
        self.up_quarter = _conv(middle + width, width)
        self.last = nn.Conv2d(width, 1 + len(WINDOWS) + 2, 3, padding=1)
        # Starts by keeping the field as it comes.
        nn.init.zeros_(self.last.weight)
        assert self.last.bias is not None
        nn.init.zeros_(self.last.bias)
        with torch.no_grad():
            self.last.bias[0] = 4.0

    def begin(self, target: Tensor, source: Tensor) -> Tensor:
        """Return the field to begin with, ``(N, 2, H, W)``, px; nothing here is learned."""
        if self.start is None:
            return target.new_zeros(len(target), 2, *target.shape[-2:])
        with torch.no_grad():
            return self.start(target, source)

    def forward(self, target: Tensor, source: Tensor, start: Tensor | None = None) -> Tensor:
        """Return the transfer field; see `pipeline.alignment.aligner.Aligner`. ``start`` is that of `begin`."""
        height, width = target.shape[-2:]
        field = self.begin(target, source) if start is None else start
        gray = torch.cat([target, source]).mean(1, keepdim=True)
        pyramid = [gray]
        for _ in range(self.levels - 1):
            pyramid.append(halve(pyramid[-1]))
        cells = [(-(-one.shape[-2] // 2), -(-one.shape[-1] // 2)) for one in pyramid]
        for _ in range(self.levels):
            field = halve(field) / 2
        for frames, size in zip(reversed(pyramid), reversed(cells), strict=True):
            if field.shape[-2:] != size:
                field = 2 * enlarge(field, *size)
            one, other = low_pass(frames, BLUR).chunk(2)
            field = self._refine(one, other, field)
        return 2 * enlarge(field, height, width)

    def _refine(self, target: Tensor, source: Tensor, field: Tensor) -> Tensor:
        """Return a better field of one level; frames ``(N, 1, H, W)``, low-passed; field in cells."""
        height, width = field.shape[-2:]
        warped = expose(target, warp(source, 2 * enlarge(field, *target.shape[-2:])))
        sums = _windows(statistics(target, warped))
        motions = [solve(one) / 2 for one in sums]
        mean = target.mean((1, 2, 3), keepdim=True)
        features = [
            10 * halve((target - warped).abs()),
            3 * halve(target - mean),
            3 * halve(warped - mean),
            field - low_pass(field, WINDOWS[-1]),
            *[4 * motion for motion in motions],
            10 * (3 * sums[0][:, [0, 2]] + 1e-5).sqrt(),
            300 * sums[0][:, 1:2],
        ]
        x = functional.pad(torch.cat(features, 1), (0, -width % CELLS, 0, -height % CELLS), mode="replicate")
        x = self.quarter(self.first(x.contiguous(memory_format=torch.channels_last)))
        eighth = self.eighth(x)
        deep = self.sixteenth(eighth)
        up = self.up_eighth(torch.cat([enlarge(deep, *eighth.shape[-2:]), eighth], 1))
        up = self.last(self.up_quarter(torch.cat([enlarge(up, *x.shape[-2:]), x], 1))).contiguous()
        kinds = 1 + len(WINDOWS)
        weights = enlarge(up[:, :kinds].softmax(1), height, width)
        # The first weight keeps the field as it came.
        field = field + enlarge(up[:, kinds:], height, width)
        for number, motion in enumerate(motions, 1):
            field = field + weights[:, number : number + 1] * motion
        return field
