"""bfloat16 where it is faster, and float32 where it is not."""

from typing import Any

import pytest
import torch

from self2align.runtime.devices import device, use_bfloat16


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({"cpu_name": "Intel Xeon", "amx_bf16": True, "avx512_bf16": True}, True),
        ({"cpu_name": "Intel Xeon", "amx_bf16": False, "avx512_bf16": True}, False),
        ({"cpu_name": "AMD EPYC", "amx_bf16": False, "avx512_bf16": True}, True),
        ({"cpu_name": "AMD EPYC", "amx_bf16": False, "avx512_bf16": False}, False),
        ({"architecture": "aarch64"}, False),
    ],
)
def test_a_cpu_uses_the_precision_that_it_computes_faster(
    monkeypatch: pytest.MonkeyPatch, known: dict[str, Any], expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known, raising=False)
    cpu = torch.device("cpu")
    assert use_bfloat16(cpu, "auto") is expected
    assert use_bfloat16(cpu, "bfloat16")
    assert not use_bfloat16(cpu, "float32")


def test_torch_without_the_function_computes_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.cpu, "get_capabilities", raising=False)
    assert not use_bfloat16(torch.device("cpu"), "auto")


def test_torch_knows_the_name_of_the_cpu() -> None:
    if not hasattr(torch.cpu, "get_capabilities"):
        pytest.skip("this release of torch does not tell")
    known = torch.cpu.get_capabilities()
    if known["architecture"] == "x86_64":
        assert known["cpu_name"]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ("mps", "SELF2ALIGN_DEVICE: found 'mps', expected 'auto', 'cpu' or 'cuda'"),
        ("cuda", "SELF2ALIGN_DEVICE: found 'cuda', but torch sees no CUDA device; expected 'cpu' or 'auto'"),
    ],
)
def test_a_device_that_is_not_used_or_not_there_is_refused(
    monkeypatch: pytest.MonkeyPatch, wanted: str, message: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setenv("SELF2ALIGN_DEVICE", wanted)
    with pytest.raises(ValueError, match=f"^{message}$"):
        device()
    monkeypatch.setenv("SELF2ALIGN_DEVICE", "auto")
    assert device().type == "cpu"
