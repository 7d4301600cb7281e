"""The device to compute on: chosen per run, never by the parameters."""

import os
from typing import Any, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def device() -> torch.device:
    """Return ``$SELF2ALIGN_DEVICE`` if set, else CUDA if present, else the CPU.

    Raises
    ------
    ValueError
        If the variable names an unknown or missing device.
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
    """Wait until a device has finished its queued work, so that a clock can be read. A CPU has no queue."""
    if where.type == "cuda":
        torch.cuda.synchronize(where)


def use_bfloat16(where: torch.device, precision: str) -> bool:
    """Return whether to compute in bfloat16.

    Parameters
    ----------
    where
        The device.
    precision
        "float32", "bfloat16", or "auto": bfloat16 where the hardware multiplies it faster than float32. That is a CPU
        with AMX, an AMD CPU with AVX512-BF16, or an NVIDIA GPU from Ampere on. On Intel CPUs with AVX512-BF16 but no
        AMX, bfloat16 takes 1.7 times as long as float32; on other CPUs it takes several times as long.
    """
    if precision != "auto":
        return precision == "bfloat16"
    if where.type == "cuda":
        return torch.cuda.get_device_capability(where) >= (8, 0)
    # Older releases of torch have no such function: float32 is always right.
    tell = getattr(torch.cpu, "get_capabilities", None)
    capabilities: dict[str, Any] = tell() if tell else {}
    amd = str(capabilities.get("cpu_name", "")).startswith("AMD")
    return bool(capabilities.get("amx_bf16") or (capabilities.get("avx512_bf16") and amd))


def place(network: Network, where: torch.device) -> Network:
    """Move a network to a device in channels-last layout: 1.4 times faster (docs/decisions/training.md)."""
    # torch's annotations have no memory_format together with a device.
    network.to(where)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network
