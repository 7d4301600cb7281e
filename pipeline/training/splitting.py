"""A network whose work on each batch is split over the processes of a training.

Every process draws the whole batch of a step and computes the same loss of it, with the same masks; only the passes
through the network are split. So the loss is that of one process whatever it does: pixels of all crops may be weighed
against each other, and the network called several times. Each process has the gradient of its own crops; their sum is
the gradient of one process, up to the order of summation.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from self2align.training.launched import processes, rank
from self2align.training.ranks import add, gathered

Result = Tensor | list[Tensor] | None


def split(network: nn.Module) -> nn.Module:
    """Return a network for losses, of the same weights; the network itself where this is the only process.

    A loss may depend on the weights only through what the network returns.
    """
    return network if processes() == 1 else Split(network)


class Split(nn.Module):
    """Gives this process its part of the images, and everybody all results.

    Parameters
    ----------
    network
        A denoiser, or an aligner (`self2align.alignment.aligner.TrainableAligner`). Its layers of batch normalization
        take the means of the whole batch from now on while it trains.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.own = 0  # crops of this process that are not repeated
        for layer in network.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.__dict__["forward"] = _normalise_together(layer, self)

    def forward(self, *images: Tensor) -> Tensor:
        """Return what the network makes of images, ``(N, ...)`` each."""
        result = self._apply_split(self.network, images)
        assert isinstance(result, Tensor)
        return result

    def start(self, target: Tensor, source: Tensor) -> Result:
        """See `self2align.alignment.aligner.TrainableAligner`."""
        aligner: Any = self.network
        return self._apply_split(aligner.start, (target, source))

    def fields(self, target: Tensor, source: Tensor, start: Tensor | None = None) -> Result:
        """See `self2align.alignment.aligner.TrainableAligner`."""
        aligner: Any = self.network
        return self._apply_split(aligner.fields, (target, source, start))

    def _apply_split(self, call: Callable[..., Result], images: tuple[Tensor | None, ...]) -> Result:
        count = next(len(one) for one in images if one is not None)
        size = -(-count // processes())
        first = size * rank()
        self.own = min(max(count - first, 0), size)
        result = call(*(None if one is None else _part(one, first, size) for one in images))
        if isinstance(result, list):
            return [_whole(one, count) for one in result]
        return None if result is None else _whole(result, count)


def _part(images: Tensor, first: int, size: int) -> Tensor:
    """Return so many images; where fewer are left the last one is repeated, and what it gives is cut off later."""
    part = images[first : first + size]
    short = size - len(part)
    return torch.cat([part, images[-1:].expand(short, *images.shape[1:])]) if short else part


def _whole(mine: Tensor, count: int) -> Tensor:
    """Return the results of all processes, ``(count, ...)``; the gradient flows to those of this one alone."""
    parts = gathered(mine.detach())
    parts[rank()] = mine.contiguous()
    return torch.cat(parts)[:count]


class _Sum(torch.autograd.Function):
    """The sum over the processes, of values and of gradients."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        total = values.clone(memory_format=torch.contiguous_format)
        add(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        add(total)
        return total


def _normalise_together(layer: nn.BatchNorm2d, whole: Split) -> Callable[[Tensor], Tensor]:
    """Return the forward pass of a layer (Ioffe and Szegedy 2015) with the means of the whole batch."""

    def total(values: Tensor) -> Tensor:
        summed: Tensor = _Sum.apply(values)  # type: ignore[no-untyped-call]
        return summed

    def forward(images: Tensor) -> Tensor:
        if not layer.training:
            return nn.BatchNorm2d.forward(layer, images)
        exact = images.float()
        own = exact[: whole.own]
        pixels = torch.tensor(float(own.numel() // own.shape[1]), device=images.device)
        add(pixels)
        mean = total(own.sum((0, 2, 3))) / pixels
        variance = total((own - mean[:, None, None]).square().sum((0, 2, 3))) / pixels
        if layer.running_mean is not None and layer.running_var is not None:
            assert layer.num_batches_tracked is not None
            layer.num_batches_tracked += 1
            share = 1 / float(layer.num_batches_tracked) if layer.momentum is None else layer.momentum
            layer.running_mean.lerp_(mean.detach(), share)
            layer.running_var.lerp_(variance.detach() * pixels / (pixels - 1), share)
        scale, shift = (variance + layer.eps).rsqrt(), torch.zeros_like(mean)
        if layer.weight is not None:
            scale, shift = scale * layer.weight, layer.bias
        result = (exact - mean[:, None, None]) * scale[:, None, None] + shift[:, None, None]
        return result.to(images.dtype)

    return forward
