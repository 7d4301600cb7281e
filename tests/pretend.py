"""A device that is none: tensors on it are computed on the CPU, and may not meet tensors of the CPU.

What runs there runs on a GPU as far as places go: every tensor is moved where it is needed, none is read without being
brought back, and the ways that code takes on a CPU only (OpenCV) are not taken. Its type is "meta", the one that every
build of torch knows and nothing computes on. Kernels, and the order of sums in them, are those of the CPU.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

PRETENDED = torch.device("meta")
_made = torch.tensor
MOVES = ("_to_copy", "copy_", "to")  # operations that take tensors from one device to another
PLACED = ("index", "index_put", "index_put_")  # a GPU takes indices of the CPU
SHAPED = ("expand_as", "view_as")  # only the shape of the second tensor counts


class Pretended(Tensor):
    """A tensor of the device; `held` has its values."""

    held: Tensor
    __torch_function__: Any = torch._C._disabled_torch_function_impl

    @staticmethod
    def __new__(cls, held: Tensor) -> "Pretended":
        made: Pretended = torch.Tensor._make_wrapper_subclass(
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=PRETENDED,
        )
        return made

    def __init__(self, held: Tensor) -> None:
        self.held = held

    def new_tensor(self, data: Any, *options: Any, **more: Any) -> Tensor:
        """Return values on this device: torch's own goes past the dispatch."""
        assert not [*options, *more]
        return torch.tensor(data, dtype=self.dtype).to(PRETENDED)

    def __getitem__(self, index: Any) -> Tensor:
        """Return values at an index: torch's own makes a list of numbers a tensor past the dispatch."""
        parts = index if isinstance(index, tuple) else (index,)
        return super().__getitem__(tuple(torch.tensor(one) if isinstance(one, list) else one for one in parts))

    def _computed(
        cls: Any, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        return _computed(func, args, kwargs or {})

    __torch_dispatch__: Any = classmethod(_computed)


class _Factories(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's modes are untyped
    """Tensors that are made on the device, or brought there."""

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if _is_pretended(_device(args, kwargs)) or any(
            isinstance(one, Pretended) for one in tree_leaves((args, kwargs))
        ):
            return _computed(func, args, kwargs)
        return func(*args, **kwargs)


def _device(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Return the device that an operation is given, by name or, in inference mode, by place; None if it is not."""
    return kwargs.get("device", next((one for one in args if isinstance(one, torch.device)), None))


def _is_pretended(device: Any) -> bool:
    return device is not None and torch.device(device).type == PRETENDED.type


def _computed(func: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """Compute on the CPU; refuse what a GPU refuses."""
    leaves = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
    assert all(isinstance(one, Pretended) or one.device.type == "cpu" for one in leaves), f"{func}: values went by"
    # A GPU takes single values of the CPU with its own.
    strangers = [one for one in leaves if not isinstance(one, Pretended) and one.ndim]
    natives = {id(one.held): one for one in leaves if isinstance(one, Pretended)}
    name = func.overloadpacket.__name__
    if natives and strangers and name not in (*MOVES, *PLACED, *SHAPED):
        raise RuntimeError(f"{func}: expected all tensors to be on the same device, found {PRETENDED} and cpu")
    inside, options = tree_map(_on_cpu, (list(args), dict(kwargs)))
    result = func(*inside, **options)
    if name == "copy_":
        return args[0]
    told = _device(args, kwargs)
    there = bool(natives) if told is None else _is_pretended(told)
    if name in SHAPED:
        there = isinstance(args[0], Pretended)
    return tree_map(lambda one: _of(natives, one) if isinstance(one, Tensor) and there else one, result)


def _on_cpu(one: Any) -> Any:
    """Return what stands on the CPU for a tensor or the device itself."""
    if isinstance(one, Pretended):
        return one.held
    return torch.device("cpu") if isinstance(one, torch.device) else one


def _of(natives: Mapping[int, Pretended], one: Tensor) -> Pretended:
    """Return the tensor that was given, if it was computed in place, else a new one."""
    found = natives.get(id(one))
    return Pretended(one) if found is None else found


def _tensor(data: Any, *, device: Any = None, **options: Any) -> Tensor:
    """Return values on a device: torch's own function makes them past the dispatch."""
    made = _made(data, **options)
    return made if device is None else made.to(device)


@contextmanager
def pretended_device() -> Iterator[torch.device]:
    """Yield the device; within, tensors can be made on it and brought there."""
    with patch.object(torch, "tensor", _tensor), _Factories():  # type: ignore[no-untyped-call]
        yield PRETENDED
