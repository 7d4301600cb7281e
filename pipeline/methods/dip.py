"""Deep Image Prior (Ulyanov et al. 2018): a network learns the image, and stops before it learns the noise."""

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

# An iteration whose loss is 5 dB above the previous one is reverted (the authors' notebook).
LEAP = 10**0.5


class _Layer(nn.Sequential):
    """Convolution, batch normalization, LeakyReLU."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, padding_mode="reflect"),
            nn.BatchNorm2d(outputs),
            nn.LeakyReLU(0.2),
        )


class _Hourglass(nn.Module):
    """One scale of the hourglass, around the smaller scales."""

    def __init__(self, inputs: int, width: int, across: int, scales: int) -> None:
        super().__init__()
        inner = [_Hourglass(width, width, across, scales - 1)] if scales > 1 else []
        self.across = _Layer(inputs, across, 1)
        self.below = nn.Sequential(
            _Layer(inputs, width, 3, stride=2),
            _Layer(width, width, 3),
            *inner,
            nn.Upsample(scale_factor=2, mode="bilinear"),
        )
        self.join = nn.Sequential(
            nn.BatchNorm2d(across + width), _Layer(across + width, width, 3), _Layer(width, width, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        joined: Tensor = self.join(torch.cat([self.across(x), self.below(x)], 1))
        return joined


def hourglass(inputs: int, channels: int, *, width: int, across: int, scales: int) -> nn.Module:
    """Return the authors' network, ``(N, inputs, H, W) -> (N, channels, H, W)`` in [0, 1].

    Parameters
    ----------
    inputs, channels
        C of input and output.
    width
        Features at all sizes.
    across
        Features that skip across at each size.
    scales
        Halvings; height and width must be multiples of ``2**scales``, and twice that at least.
    """
    return nn.Sequential(_Hourglass(inputs, width, across, scales), nn.Conv2d(width, channels, 1), nn.Sigmoid())


def dip(
    image: NDArray[np.float32],
    sigma: float,
    watch: Watch | None = None,
    *,
    iterations: Annotated[int, Ge(1)] = 1800,
    learning_rate: Annotated[float, Gt(0)] = 0.01,
    jitter: Annotated[float, Ge(0)] = 1 / 30,
    memory: Annotated[float, Ge(0), Lt(1)] = 0.99,
    inputs: Annotated[int, Ge(1)] = 32,
    width: Annotated[int, Ge(4)] = 128,
    across: Annotated[int, Ge(1)] = 4,
    scales: Annotated[int, Ge(1), Le(8)] = 5,
    seed: Annotated[int, Ge(0)] = 0,
) -> NDArray[np.float32]:
    """Fit a network to the noisy image (equation 2 of the paper, mean squared error) and stop early.

    The only early stop is the number of iterations, as in the paper; no clean image is seen. The other settings are
    those of the authors' notebook for sigma 25; the noisy image is not clipped. The image is any size: the network
    makes a larger one, and the loss and the result read its upper left corner.

    It is trained on each image. An iteration over 512 x 768 pixels takes about 0.7 TFLOP: the default takes minutes
    per image on a GPU, and hours on a CPU core (docs/decisions/benchmark.md).

    Parameters
    ----------
    image
        ``(C, H, W)``, white being 1.0.
    sigma
        Not used.
    watch
        Called after every iteration.
    iterations
        1,800 in the paper's measurement over a set of images, 3,000 in the notebook for one.
    learning_rate
        Of Adam.
    jitter
        Standard deviation of the noise that is added to the input at each iteration; 1/20 for sigma 50.
    memory
        Of the exponential average over the outputs, which is the result.
    inputs
        C of the input, uniform noise in [0, 0.1].
    width, across, scales
        Of the network: `hourglass`.
    seed
        Of the input, the starting weights and the jitter: the same bytes on a CPU at one number of threads.
    """
    where = device()
    draw = torch.Generator(where).manual_seed(seed)
    channels, height, breadth = image.shape
    step = 2**scales
    # Reflection needs two pixels at the smallest size.
    size = [max(2 * step, -(-side // step) * step) for side in (height, breadth)]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = place(hourglass(inputs, channels, width=width, across=across, scales=scales), where)
    start = 0.1 * torch.rand(1, inputs, *size, generator=draw, device=where)
    noisy = torch.tensor(image, device=where)[None]
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    kept = [weight.detach().clone() for weight in network.parameters()]
    last, average = float("inf"), torch.empty(0)

    def result() -> NDArray[np.float32]:
        clean: NDArray[np.float32] = average[0].cpu().numpy()
        return clean

    for iteration in range(iterations):
        moved = start + jitter * torch.randn(start.shape, generator=draw, device=where)
        made = network(moved)[..., :height, :breadth]
        loss = functional.mse_loss(made, noisy)
        average = torch.lerp(made.detach(), average, memory) if iteration else made.detach()
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        value = loss.item()
        good = value <= LEAP * last  # False for NaN
        with torch.no_grad():
            for weight, earlier in zip(network.parameters(), kept, strict=True):
                if good:
                    earlier.copy_(weight)
                else:
                    weight.copy_(earlier)
        if good:
            last = value
            optimizer.step()
        if watch is not None:
            watch(iteration + 1, result)
    return result()


METHOD = Method(dip, on_device=True, network=hourglass)
