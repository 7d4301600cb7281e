"""Which frames around one hold noise of their own: copies of a frame count as one observation of it."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from self2align.alignment.copies import BLOCK, MOSTLY, block_power, is_copied, over_pixels


class Repeats:
    """Finds copies among the frames of a moving window; what it measures of a frame is kept while it is held."""

    def __init__(self) -> None:
        self._own: dict[int, Tensor] = {}
        self._steps: dict[int, Tensor] = {}

    def others(self, at: int, held: Mapping[int, Tensor], radius: int, variance: Tensor) -> list[int]:
        """Return the nearest frames before and after one, up to ``radius`` each way, that repeat no nearer one.

        Parameters
        ----------
        at, held
            Number of the frame; frames ``(C, H, W)`` by number.
        radius
            Frames wanted each way.
        variance
            Of the noise of the frame at each pixel, ``(C, H, W)``.
        """
        for kept in (self._own, self._steps):
            for number in [number for number in kept if number not in held]:
                del kept[number]
        if min(variance.shape[-2:]) < BLOCK:
            return sorted(other for other in held if 0 < abs(other - at) <= radius)
        blocks = functional.avg_pool2d(variance.mean(0)[None], BLOCK)[0]
        found = []
        for way in (-1, 1):
            other, count = at, 0
            while count < radius and other + way in held:
                later = max(other, other + way)
                other += way
                if not self._repeats(later, held, blocks):
                    found.append(other)
                    count += 1
        return sorted(found)

    def copied(self, at: int, other: int, held: Mapping[int, Tensor], variance: Tensor) -> Tensor | None:
        """Return where a frame holds the noise of another at the same place, ``(H, W)``; None if nowhere."""
        if min(variance.shape[-2:]) < BLOCK:
            return None
        blocks = functional.avg_pool2d(variance.mean(0)[None], BLOCK)[0]
        own = torch.minimum(self._power(at, held), self._power(other, held))
        return over_pixels(is_copied(block_power(held[at] - held[other]), own, blocks), held[at])

    def _repeats(self, later: int, held: Mapping[int, Tensor], variance: Tensor) -> bool:
        """Return whether a frame is a copy of the one before."""
        if later not in self._steps:
            self._steps[later] = block_power(held[later] - held[later - 1])
        own = torch.minimum(self._power(later, held), self._power(later - 1, held))
        telling = int((own > 0).sum())
        return telling > 0 and int(is_copied(self._steps[later], own, variance).sum()) >= MOSTLY * telling

    def _power(self, number: int, held: Mapping[int, Tensor]) -> Tensor:
        if number not in self._own:
            self._own[number] = block_power(held[number])
        return self._own[number]
