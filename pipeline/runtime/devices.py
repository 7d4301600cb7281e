"""The device to compute on: chosen per run, never by the parameters."""

import os
from functools import cache
from typing import Any, TypeVar

import torch
from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def device() -> torch.device:
    """Return ``$SELF2ALIGN_DEVICE`` if set, else CUDA if present, else the CPU.

    Raises
    ------
    ValueError
        If the variable names an unknown or missing device, or if torch cannot compute on the GPU.
    """
    wanted = os.environ.get("SELF2ALIGN_DEVICE", "auto")
    if wanted not in ("auto", "cpu", "cuda"):
        raise ValueError(f"SELF2ALIGN_DEVICE: found {wanted!r}, expected 'auto', 'cpu' or 'cuda'")
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise ValueError("SELF2ALIGN_DEVICE: found 'cuda', but torch sees no CUDA device; expected 'cpu' or 'auto'")
    if fault := fault_of_cuda():
        raise ValueError(
            f"SELF2ALIGN_DEVICE: found a GPU on which torch {torch.__version__} cannot compute ({fault}), "
            "expected SELF2ALIGN_DEVICE=cpu, or a build of torch for this GPU and its driver"
        )
    return torch.device("cuda")


@cache
def fault_of_cuda() -> str | None:
    """Return why nothing can be computed on the GPU: too old for this build of torch, in use, out of memory."""
    try:
        torch.zeros(1, device="cuda").add_(1).item()
    except RuntimeError as error:
        return str(error).strip().partition("\n")[0]
    return None


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
