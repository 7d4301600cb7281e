"""What the file of a denoiser says of itself, checked before anything is built from it."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor

from self2align.stores.weights import load_part

_CONFIG = ConfigDict(strict=True, allow_inf_nan=False)


class _Seen(BaseModel):
    """The noise of the training: see `self2align.denoising.purpose.Purpose`."""

    model_config = _CONFIG
    sigma: Annotated[list[Annotated[float, Field(ge=0)]], Field(min_length=2, max_length=2)] | None = None
    correlated: bool | None = None
    told_within: Annotated[float, Field(ge=1)] | None = None


class _Noise(BaseModel):
    """See `self2align.noise.model.NoiseSettings`."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")
    model: str
    sigma: Annotated[float, Field(ge=0)]
    sigma_max: Annotated[float, Field(ge=0)] | None
    peak: Annotated[float, Field(gt=0)]
    peak_max: Annotated[float, Field(gt=0)] | None = None
    camera: dict[str, Any] = {}


class _Clipping(BaseModel):
    """See `self2align.noise.clipping.Clipping`."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="forbid")
    gain: float
    read: float
    low: bool
    high: bool


class _Header(BaseModel):
    """What is read of a header; other keys are for people."""

    model_config = _CONFIG
    network: str
    channels: Annotated[int, Field(ge=1)]
    arguments: dict[str, Any]
    normalised: float | None = None
    whites: dict[str, Annotated[float, Field(gt=0)]] | None = None
    clipping: _Clipping | None = None
    noise: _Noise = _Noise(model="none", sigma=0.0, sigma_max=None, peak=1.0)
    noise_seen: _Seen | None = None
    noise_profile: dict[str, Any] | None = None


def load_checked(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return tensors and header of a denoiser; of a bundle, of its denoiser.

    Raises
    ------
    ValueError
        If the file is none, or its header lacks something or holds a value of another type.
    """
    tensors, header = load_part(path, "denoiser")
    try:
        told = _Header.model_validate(header)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"])) or "header"
        found = "nothing" if first["type"] == "missing" else repr(first["input"])[:60]
        expected = first["msg"].replace("Input should be ", "").replace("Field required", "a value")
        raise ValueError(f"{path}: {key}: found {found}, expected {expected}") from error
    # A network has at least as many values as any of its sizes: a larger one would be built for ever.
    values = sum(tensor.numel() for tensor in tensors.values())
    sizes = {"channels": told.channels, **{f"arguments.{name}": most(value) for name, value in told.arguments.items()}}
    for name, size in sizes.items():
        if size > values:
            raise ValueError(f"{path}: {name}: found {size}, expected at most {values}, the number of its values")
    return tensors, header


def most(value: Any) -> int:
    """Return the largest whole number in a value of JSON; 0 if there is none."""
    if isinstance(value, list):
        return max(map(most, value), default=0)
    return value if isinstance(value, int) else 0
