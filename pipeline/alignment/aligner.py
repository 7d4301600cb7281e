"""What every aligner is: ``(target, source) -> transfer field``; some foresee their errors."""

from typing import Protocol

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


def estimate(aligner: Aligner, target: Tensor, source: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return the transfer field and, from an aligner that foresees it, the disagreement to expect.

    Parameters
    ----------
    target, source
        ``(N, C, H, W)``.

    Returns
    -------
    transfer
        ``(N, 2, H, W)``, px.
    expected
        ``(N, H, W)``: the squared low-passed residual over what noise explains, about 1 where the alignment will be
        perfect; None from an aligner without the method ``estimate``.
    """
    foresee = getattr(aligner, "estimate", None)
    if foresee is None:
        return aligner(target, source), None
    transfer, expected = foresee(target, source)
    return transfer, expected


def is_trainable(member: type) -> bool:
    """Return whether a class of aligners is trained; a classical one is not."""
    return issubclass(member, nn.Module)
