"""Self2Self (Quan et al. 2020): a network learns to fill in dropped pixels; many predictions are averaged."""

from collections.abc import Callable
from typing import Annotated

import numpy as np
import torch
from annotated_types import Ge, Gt, Le, Lt
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from self2align.methods.method import Method
from self2align.runtime.devices import device, place

# (iterations so far, function that returns the result so far)
Watch = Callable[[int, Callable[[], NDArray[np.float32]]], None]


class PartialConvolution(nn.Module):
    """A 3 x 3 convolution over the pixels that are present (Liu et al. 2018, equations 1 and 2).

    The sum is divided by the share of the window that is present. Borders are replicated, together with the mask.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs, 3, 3))
        self.bias = nn.Parameter(torch.zeros(outputs))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and the mask of those with at least one present input.

        Parameters
        ----------
        x
            ``(N, inputs, H, W)``; masked values have no effect.
        mask
            ``(N, inputs, H, W)``, or ``(N, 1, H, W)`` for all of them: 1 where a value is present, else 0.

        Returns
        -------
        features
            ``(N, outputs, H, W)``.
        mask
            ``(N, 1, H, W)``.
        """
        there = mask.mean(1, keepdim=True)
        share = functional.avg_pool2d(functional.pad(there, (1, 1, 1, 1), "replicate"), 3, 1)
        seen = (share > 0).to(x.dtype)
        summed = functional.conv2d(functional.pad(x * mask, (1, 1, 1, 1), "replicate"), self.weight)
        # The share is at least 1/9 of a channel, or 0.
        scale = seen / share.clamp(min=1e-6)
        return summed * scale + self.bias[:, None, None], seen


def _drop(x: Tensor, rate: float, draw: torch.Generator) -> Tensor:
    return x * torch.empty_like(x).bernoulli_(1 - rate, generator=draw) / (1 - rate)


def _conv(inputs: int, outputs: int) -> nn.Conv2d:
    conv = nn.Conv2d(inputs, outputs, 3, padding=1, padding_mode="replicate")
    nn.init.kaiming_normal_(conv.weight)
    assert conv.bias is not None
    nn.init.zeros_(conv.bias)
    return conv


class PartialUNet(nn.Module):
    """The authors' network: an encoder of partial convolutions, a decoder of plain ones with dropout before each.

    Parameters
    ----------
    channels
        C of the images.
    width
        Features of the encoder, 48 in the paper; the decoder has twice as many, and 4/3 and 2/3 at full size.
    depth
        Halvings, 5 in the paper.
    """

    def __init__(self, channels: int, *, width: int, depth: int) -> None:
        super().__init__()
        self.multiple = 2**depth
        self.first = PartialConvolution(channels, width)
        self.encoder = nn.ModuleList(PartialConvolution(width, width) for _ in range(depth))
        self.bottom = PartialConvolution(width, width)
        self.decoder = nn.ModuleList()
        for level in range(depth):
            skipped = channels if level == depth - 1 else width
            inputs = (width if level == 0 else 2 * width) + skipped
            wide, narrow = (4 * width // 3, 2 * width // 3) if level == depth - 1 else (2 * width, 2 * width)
            self.decoder.append(nn.ModuleList([_conv(inputs, wide), _conv(wide, narrow)]))
        self.last = _conv(2 * width // 3, channels)
        nn.init.kaiming_normal_(self.last.weight, nonlinearity="linear")

    def forward(self, x: Tensor, mask: Tensor, rate: float, draw: torch.Generator) -> Tensor:
        """Return an image, ``(N, C, H, W)``, in [0, 1].

        Parameters
        ----------
        x, mask
            ``(N, C, H, W)``; H and W must be multiples of ``multiple``. Masked values have no effect.
        rate
            Of dropout in the decoder.
        draw
            Of dropout.
        """
        skips = [x * mask]
        x, mask = self.first(x, mask)
        x = functional.leaky_relu(x, 0.1)
        for level, layer in enumerate(self.encoder):
            x, mask = layer(x, mask)
            x, mask = functional.max_pool2d(functional.leaky_relu(x, 0.1), 2), functional.max_pool2d(mask, 2)
            if level < len(self.encoder) - 1:
                skips.append(x)
        x = functional.leaky_relu(self.bottom(x, mask)[0], 0.1)
        for block in self.decoder:
            x = torch.cat([functional.interpolate(x, scale_factor=2), skips.pop()], 1)
            assert isinstance(block, nn.ModuleList)
            for layer in block:
                x = functional.leaky_relu(layer(_drop(x, rate, draw)), 0.1)
        return torch.sigmoid(self.last(_drop(x, rate, draw)))


def sampled(
    network: PartialUNet, noisy: Tensor, *, keep: float, dropout: float, draw: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Return the network's output for a randomly flipped Bernoulli sample of the image, and the mask of the sample.

    If the image is smaller than the network needs, the missing part counts as dropped.

    Parameters
    ----------
    network
        The network.
    noisy
        ``(1, C, H, W)``.
    keep
        Probability that a value is kept, independently per channel.
    dropout
        Rate in the decoder.
    draw
        Of all three draws.

    Returns
    -------
    made
        ``(1, C, H, W)``, not flipped.
    kept
        ``(1, C, H, W)``, 1 where the network saw the value, else 0.
    """
    height, width = noisy.shape[-2:]
    turned = [axis for axis in (2, 3) if torch.rand((), generator=draw, device=draw.device) < 0.5]
    kept = torch.empty_like(noisy).bernoulli_(keep, generator=draw)
    missing = (0, -width % network.multiple, 0, -height % network.multiple)
    made: Tensor = network(
        functional.pad(noisy.flip(turned), missing), functional.pad(kept.flip(turned), missing), dropout, draw
    )
    return made[..., :height, :width].flip(turned), kept


def dropped_error(made: Tensor, noisy: Tensor, kept: Tensor) -> Tensor:
    """Return the mean squared error over values that the network did not see, all ``(N, C, H, W)``."""
    dropped = 1 - kept
    return ((made - noisy) * dropped).square().sum() / dropped.sum().clamp(min=1)


def self2self(
    image: NDArray[np.float32],
    sigma: float,
    watch: Watch | None = None,
    *,
    iterations: Annotated[int, Ge(1)] = 3000,
    predictions: Annotated[int, Ge(1)] = 100,
    keep: Annotated[float, Gt(0), Lt(1)] = 0.7,
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.3,
    learning_rate: Annotated[float, Gt(0)] = 1e-4,
    width: Annotated[int, Ge(3)] = 48,
    depth: Annotated[int, Ge(1), Le(6)] = 5,
    seed: Annotated[int, Ge(0)] = 0,
) -> NDArray[np.float32]:
    """Train on Bernoulli samples of the noisy image with the dropped values as targets; average many predictions.

    The noise of a dropped value is independent of the network's input, so the expected loss is the true error plus a
    constant (section 3 of the paper). No clean image is seen. The image is any size.

    **The default is a budget, not the paper's training:** the authors' code takes 150,000 iterations per image, and
    their paper 450,000. It is trained on each image: docs/decisions/benchmark.md has the times.

    Parameters
    ----------
    image
        ``(C, H, W)``, white being 1.0.
    sigma
        Not used.
    watch
        Called after every iteration.
    iterations
        Of Adam; the only early stop.
    predictions
        Number of predictions to average, each with its own sample and dropout.
    keep
        Probability that a value is kept.
    dropout
        Rate in the decoder; 0.2 in the authors' code for BSD68 at sigma 25, else 0.3.
    learning_rate
        Of Adam.
    width, depth
        Of the network: `PartialUNet`.
    seed
        Of the starting weights and all draws: the same bytes on a CPU at one number of threads.
    """
    where = device()
    draw = torch.Generator(where).manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = place(PartialUNet(len(image), width=width, depth=depth), where)
    noisy = torch.tensor(image, device=where)[None]
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)

    @torch.inference_mode()
    def result() -> NDArray[np.float32]:
        # A separate stream: calling `watch` does not change the training.
        chance, total = torch.Generator(where).manual_seed(seed), torch.zeros_like(noisy)
        for _ in range(predictions):
            total += sampled(network, noisy, keep=keep, dropout=dropout, draw=chance)[0]
        clean: NDArray[np.float32] = (total / predictions)[0].cpu().numpy()
        return clean

    for iteration in range(iterations):
        made, kept = sampled(network, noisy, keep=keep, dropout=dropout, draw=draw)
        optimizer.zero_grad()
        torch.autograd.backward(dropped_error(made, noisy, kept))
        optimizer.step()
        if watch is not None:
            watch(iteration + 1, result)
    return result()


METHOD = Method(self2self, on_device=True, network=PartialUNet)
