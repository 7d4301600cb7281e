"""The interface of denoising networks, and how one is built."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from self2align.networks import NETWORKS
from self2align.runtime.families import load


class Network(Protocol):
    """A denoising network: an ``nn.Module`` made with ``(channels, *, arguments)``.

    Attributes
    ----------
    multiple
        Height and width of its input must be multiples of this number of pixels; 1 for any size.
    """

    multiple: int

    def __call__(self, noisy: Tensor) -> Tensor:
        """Denoise ``(N, C, H, W)``, white being 1.0; the result has the same shape."""
        ...


def build_network(name: str, channels: int, arguments: Mapping[str, Any], key: str = "network") -> nn.Module:
    """Return a new network.

    Parameters
    ----------
    name
        A key of `self2align.networks.NETWORKS`.
    channels
        C of the images.
    arguments
        Its keyword arguments.
    key
        Name of the parameter, for errors.

    Raises
    ------
    ValueError
        If the name is unknown or the arguments do not fit together.
    """
    network: nn.Module = load(NETWORKS, name, key)(channels, **arguments)
    return network


def multiple_of(network: nn.Module) -> int:
    """Return the number that height and width of a network's input must be multiples of.

    Raises
    ------
    ValueError
        If the network has no attribute ``multiple``. Every network sets it.
    """
    multiple = getattr(network, "multiple", None)
    if not isinstance(multiple, int):
        raise ValueError(
            f"{type(network).__name__}: found no attribute 'multiple', expected the number of pixels that height and "
            "width must be multiples of (1 for any size)"
        )
    return multiple


def all_arguments(make: Callable[..., nn.Module], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return all keyword arguments of a network, including defaults.

    Weights files store them all, so that a later change of a default does not affect old files.

    Parameters
    ----------
    make
        The network's class.
    arguments
        The arguments that differ from the defaults.
    """
    known = inspect.signature(make).parameters.values()
    defaults = {one.name: one.default for one in known if one.kind is one.KEYWORD_ONLY and one.default is not one.empty}
    return {**defaults, **arguments}
