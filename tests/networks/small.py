"""Small versions of the networks for tests, from their own signatures: a new network needs no line here."""

import inspect
from typing import Any, get_type_hints

from annotated_types import Ge
from torch import nn

from self2align.networks import NETWORKS
from self2align.networks.network import build_network
from self2align.runtime.families import load


def small_arguments(name: str) -> dict[str, Any]:
    """Return arguments that make a network small: each number is the power of two above the least that it allows."""
    make = load(NETWORKS, name, "network")
    hints = get_type_hints(make.__init__, include_extras=True)
    arguments = {}
    for parameter in inspect.signature(make).parameters.values():
        limits = [one.ge for one in getattr(hints[parameter.name], "__metadata__", ()) if isinstance(one, Ge)]
        if limits and isinstance(parameter.default, int):
            least = int(str(limits[0]))
            arguments[parameter.name] = min(parameter.default, 2 ** least.bit_length())
    return arguments


def small_network(name: str, channels: int) -> nn.Module:
    """Return a small network of the family."""
    return build_network(name, channels, small_arguments(name))
