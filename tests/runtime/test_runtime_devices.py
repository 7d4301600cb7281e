"""bfloat16 where it is faster, and float32 where it is not."""

from typing import Any

import pytest
import torch

from self2align.runtime.devices import half_precision


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
def test_a_cpu_computes_in_what_it_is_fast_in(
    monkeypatch: pytest.MonkeyPatch, known: dict[str, Any], expected: bool
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: known)
    cpu = torch.device("cpu")
    assert half_precision(cpu, "auto") is expected
    assert half_precision(cpu, "bfloat16")
    assert not half_precision(cpu, "float32")


def test_torch_knows_the_name_of_the_cpu() -> None:
    known = torch.cpu.get_capabilities()
    if known["architecture"] == "x86_64":
        assert known["cpu_name"]
