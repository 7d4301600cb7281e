"""The interfaces of aligners: ``(target, source) -> transfer field``; some aligners also predict their errors."""

from typing import Protocol, runtime_checkable

from torch import Tensor, nn


class Aligner(Protocol):
    """A function of two frames; learned aligners are ``nn.Module`` with this call."""

    def __call__(self, target: Tensor, source: Tensor) -> Tensor:
        """Return the transfer field ``M`` of equation 6: ``aligned(x) = source(x + M(x))``.

        Parameters
        ----------
        target, source
            ``(N, C, H, W)``, float32, white being 1.0, unclipped.

        Returns
        -------
        Tensor
            ``(N, 2, H, W)``, float32, px, x first.
        """
        ...


@runtime_checkable
class ErrorEstimator(Protocol):
    """An aligner that also predicts its errors."""

    def estimate(self, target: Tensor, source: Tensor) -> tuple[Tensor, Tensor]:
        """Return the transfer field and the expected disagreement; see `estimate`."""
        ...


@runtime_checkable
class TrainableAligner(Protocol):
    """An aligner that is trained: an ``nn.Module`` with these methods."""

    def start(self, target: Tensor, source: Tensor) -> Tensor | None:
        """Return the field that refinement starts from, ``(N, 2, H, W)``, px; nothing in it is learned.

        None for a network that needs no start.
        """
        ...

    def fields(self, target: Tensor, source: Tensor, start: Tensor | None = None) -> list[Tensor]:
        """Return the fields that a loss compares, coarse to fine: one, or one per level of refinement.

        Each is ``(N, 2, H, W)``, px; or ``(N, 3, H, W)`` with the logarithm of the expected disagreement.
        """
        ...


def estimate(aligner: Aligner, target: Tensor, source: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return the transfer field and, if the aligner predicts it, the expected disagreement.

    Parameters
    ----------
    target, source
        ``(N, C, H, W)``.

    Returns
    -------
    transfer
        ``(N, 2, H, W)``, px.
    expected
        ``(N, H, W)``: the squared low-passed residual over what noise explains, about 1 where the alignment is perfect;
        None from an aligner without the method ``estimate``.
    """
    if isinstance(aligner, ErrorEstimator):
        return aligner.estimate(target, source)
    return aligner(target, source), None


def is_trainable(member: type) -> bool:
    """Return whether a class of aligners is trained; classical aligners are not."""
    return issubclass(member, nn.Module) and issubclass(member, TrainableAligner)
