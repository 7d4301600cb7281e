"""Batches whose noise has the level that normalised networks see."""

from collections.abc import Callable

from torch import Tensor

from self2align.networks.normalised import LEVEL, noise_level
from self2align.training.feed import Batch

IMAGES = ("target", "source", "warped", "first", "second", "clean")


def bring_to_level(batch: Batch, usual: float) -> Batch:
    """Return a batch whose noise has the standard deviation `LEVEL`, and its ``level``.

    All images of a crop are scaled alike, and their values are counted from the mean of the noisy crop.

    Parameters
    ----------
    batch
        With ``noise_gain`` and ``noise_read``, ``(N,)``: a noisy pixel of expected value x has noise of variance
        ``gain x + read``; white is 1.0 in all.
    usual
        The usual standard deviation of the noise of crops.

    Returns
    -------
    dict
        The same with ``level``: ``(N, 1, 1, 1)``, or ``(N, C, s, s)`` if any noise depends on brightness; and with
        ``weight``, ``(N, 1, 1, 1)``: how much noise there was, over the usual. In units of the noise the squared error
        that a network leaves falls about as its level rises, so errors with this weight count alike in dB.
    """
    batch = dict(batch)
    noisy = batch["target" if "target" in batch else "first"]
    level = noise_level(noisy, batch.pop("noise_gain"), batch.pop("noise_read"))
    overall = level.square().mean((1, 2, 3), keepdim=True).sqrt()
    scale = LEVEL / overall
    middle = noisy.mean((1, 2, 3), keepdim=True)
    for name in IMAGES:
        if name in batch:
            batch[name] = (batch[name] - _like(middle, batch[name])) * _like(scale, batch[name])
    if "offset" in batch:
        first, factor = middle.flatten(), scale.flatten()
        batch["offset"] = (batch["gain"] * first + batch["offset"] - first) * factor
    batch["level"], batch["weight"] = level * scale, overall / usual
    return batch


def _like(values: Tensor, images: Tensor) -> Tensor:
    """Return one value for each image of a batch, for images ``(N, ..., C, s, s)``."""
    return values.view(len(values), *(1,) * (images.ndim - 1))


class Levelled:
    """A feed whose batches are brought to one level; see `bring_to_level`."""

    def __init__(self, draw: Callable[[int], Batch], usual: float) -> None:
        self.draw, self.usual = draw, usual

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step."""
        return bring_to_level(self.draw(step), self.usual)
