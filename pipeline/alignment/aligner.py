"""What every aligner is: ``(target, source) -> transfer field``."""

from typing import Protocol

from torch import Tensor


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
