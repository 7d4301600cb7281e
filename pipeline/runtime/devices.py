"""Where to compute: a choice of the run, never of the parameters."""

import os
from typing import TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def device() -> torch.device:
    """Return ``$SELF2ALIGN_DEVICE``, or CUDA when present, or the CPU.

    Raises
    ------
    ValueError
        When the variable names a device that is not there.
    """
    wanted = os.environ.get("SELF2ALIGN_DEVICE", "auto")
    cuda = torch.cuda.is_available()
    if wanted == "auto":
        return torch.device("cuda" if cuda else "cpu")
    if wanted == "cuda" and not cuda:
        raise ValueError("SELF2ALIGN_DEVICE: found 'cuda', but torch sees no CUDA device; expected 'cpu' or 'auto'")
    if wanted not in ("cpu", "cuda"):
        raise ValueError(f"SELF2ALIGN_DEVICE: found {wanted!r}, expected 'auto', 'cpu' or 'cuda'")
    return torch.device(wanted)


def finish(where: torch.device) -> None:
    """Wait until a device has done what it was given, so that a clock can be read; a CPU is never behind."""
    if where.type == "cuda":
        torch.cuda.synchronize(where)


def half_precision(where: torch.device, precision: str) -> bool:
    """Return whether to compute in bfloat16.

    Parameters
    ----------
    where
        The device.
    precision
        "float32", "bfloat16", or "auto": bfloat16 where the hardware multiplies it faster than float32 (a CPU with AMX,
        AMD's with AVX512-BF16, an NVIDIA GPU from Ampere on). Intel's AVX512-BF16 without AMX takes 1.7 times as
        long as float32 does, and a CPU with neither several times.
    """
    if precision != "auto":
        return precision == "bfloat16"
    if where.type == "cuda":
        return torch.cuda.get_device_capability(where) >= (8, 0)
    known = torch.cpu.get_capabilities()
    amd = str(known.get("cpu_name", "")).startswith("AMD")
    return bool(known.get("amx_bf16") or (known.get("avx512_bf16") and amd))


def place(network: Network, where: torch.device) -> Network:
    """Move a network to a device, channels last: convolutions run 1.4 times faster so (docs/decisions.md)."""
    # torch's own annotations know no memory_format beside a device.
    network.to(where)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
