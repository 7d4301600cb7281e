"""What a method of the benchmark is, and which one a row of the parameters names."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from self2align.methods import METHODS
from self2align.runtime.families import load

DENOISER = "denoiser"  # the method of a row whose file is weights
WEIGHTS = ".safetensors"


class Denoise(Protocol):
    """A method's function; further keyword-only arguments are those of the parameters."""

    def __call__(self, image: NDArray[np.float32], sigma: float, **arguments: Any) -> NDArray[np.float32]:
        """Denoise ``(C, H, W)``, white being 1.0; sigma is the noise's standard deviation on the same scale."""
        ...


@dataclass(frozen=True)
class Method:
    """A member of the family.

    Attributes
    ----------
    denoise
        See `Denoise`.
    package
        An optional package that it alone needs. Without it the row of the method says so, and the rest runs.
    on_device
        Whether it computes on a GPU if there is one, which serves one process best.
    network
        For a method that trains a network on each image: makes that network, from arguments of ``denoise`` and
        ``channels``.
    """

    denoise: Callable[..., NDArray[np.float32]]
    package: str | None = None
    on_device: bool = False
    network: Callable[..., nn.Module] | None = None


def method_name(file: str) -> str:
    """Return the method of a row: "denoiser" for weights, else the name of the module.

    Parameters
    ----------
    file
        Weights (.safetensors), or a module: "pipeline/methods/nlm.py" is the method "nlm".

    Raises
    ------
    ValueError
        If it is neither.
    """
    path = Path(file)
    if path.suffix == WEIGHTS:
        return DENOISER
    if path.suffix == ".py" and path.stem in METHODS:
        return path.stem
    modules = ", ".join(f"pipeline/methods/{name}.py" for name in sorted(METHODS))
    raise ValueError(f"found {file!r}, expected weights (*{WEIGHTS}) or one of {modules}")


def load_method(name: str) -> Method:
    """Return the method of that name."""
    method: Method = load(METHODS, name, "method")
    return method


def missing_package(name: str) -> str | None:
    """Return the package that a method alone needs and that is not installed; None if it lacks nothing."""
    package = None if name == DENOISER else load_method(name).package
    return package if package and find_spec(package) is None else None
