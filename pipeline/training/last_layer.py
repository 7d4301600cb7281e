"""The last layer of a denoiser, solved from noisy frames alone with Stein's unbiased estimate of its error.

The references of training are inexact: neighbours are aligned to a fraction of a pixel, and moving objects look a
little different a frame later. The target frame itself is exact, but its noise is the noise in the network's input.
Stein's identity (1981) separates the two: for independent Gaussian noise n of variance v in y, and any function phi of
y,

    E[n phi(y)] = v E[d phi / d y],

so the mean squared error against the clean frame is known without that frame (Stein's unbiased risk estimate). As a
loss for a whole network, its derivative is mostly noise. For the last layer, which is linear in its weights (867 of the
U-Net's million), it is a quadratic function, whose minimum follows in closed form from a few million pixels. The
derivative is measured along one random direction, by a central difference (Ramani et al. 2008).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from self2align.networks.network import multiple_of
from self2align.runtime.seeding import torch_generator

STEP = 0.08  # half the distance of the central difference, as a share of sigma
HELD = 1e-4  # pull towards the trained weights, which decides where pixels do not; share of each feature's power
EDGE = 8  # the outer eighth of each side is left out: features near edges see padding, which is rare in use

Convolution = nn.Conv2d | nn.ConvTranspose2d


@dataclass(frozen=True)
class LastLayer:
    """The last layer of a network: a convolution that is the output, or is added to the input or subtracted from it.

    Attributes
    ----------
    layer
        The convolution, of stride 1; its output has the size of its input.
    sign
        -1 if it is subtracted, otherwise 1.
    """

    layer: Convolution
    sign: int

    @property
    def transposed(self) -> bool:
        """Return whether it is a transposed convolution, whose kernel is flipped."""
        return isinstance(self.layer, nn.ConvTranspose2d)

    def weights(self) -> Tensor:
        """Return the weights in float64, ``(features, C)``: those of a patch, then the bias if there is one."""
        weight, bias = self.layer.weight.detach(), self.layer.bias
        if self.transposed:
            weight = weight.flip(2, 3).transpose(0, 1)
        parts = [weight.flatten(1)] if bias is None else [weight.flatten(1), bias.detach()[:, None]]
        return torch.cat(parts, 1).double().cpu().T

    @torch.no_grad()
    def put(self, weights: Tensor) -> None:
        """Set the weights; they have the layout that ``weights`` returns."""
        weight, bias = self.layer.weight, self.layer.bias
        patch = (weights if bias is None else weights[:-1]).T
        if self.transposed:
            inputs, outputs, high, wide = weight.shape
            weight.copy_(patch.reshape(outputs, inputs, high, wide).transpose(0, 1).flip(2, 3))
        else:
            weight.copy_(patch.reshape(weight.shape))
        if bias is not None:
            bias.copy_(weights[-1])

    def features(self, inputs: Tensor) -> Tensor:
        """Return the values that the weights multiply at each pixel, ``(N, features, H, W)``.

        Parameters
        ----------
        inputs
            Input of the layer, ``(N, K, H, W)``.
        """
        high, wide = (int(side) for side in self.layer.kernel_size)
        patches = functional.unfold(inputs, (high, wide), padding=(high // 2, wide // 2))
        patches = patches.view(len(inputs), -1, *inputs.shape[-2:])
        return patches if self.layer.bias is None else torch.cat([patches, torch.ones_like(patches[:, :1])], 1)


@dataclass(frozen=True)
class Solved:
    """Mean squared errors against clean frames, white being 1.0, estimated on other noisy frames.

    Attributes
    ----------
    before, after
        Error of the trained and of the solved layer. The estimate of an error near 0 may be negative.
    """

    before: float
    after: float

    @property
    def better(self) -> bool:
        """Return whether the solved layer has the smaller error and was kept."""
        return self.after < self.before


@torch.no_grad()
def last_layer(network: nn.Module, channels: int) -> LastLayer:
    """Find the last layer of a network.

    Parameters
    ----------
    network
        It is run on a random image; its weights and its mode stay the same.
    channels
        C of its images.

    Raises
    ------
    ValueError
        If it is not such a convolution, or another operation follows it.
    """
    multiple = multiple_of(network)
    side = -(-16 // multiple) * multiple
    image = torch.rand(1, channels, side, side, generator=torch.Generator().manual_seed(0))
    image = image.to(next(network.parameters()).device)
    called: list[Convolution] = []
    hooks = [
        one.register_forward_hook(lambda module, _, __: called.append(module))
        for one in network.modules()
        if isinstance(one, (nn.Conv2d, nn.ConvTranspose2d))
    ]
    training = network.training
    network.eval()
    before = network(image)
    for hook in hooks:
        hook.remove()
    found = None
    if called and _keeps_size(called[-1]) and called.count(called[-1]) == 1:
        hook = called[-1].register_forward_hook(lambda _, __, out: out + 1)
        change = network(image) - before
        hook.remove()
        signs = [sign for sign in (1, -1) if torch.allclose(change, torch.full_like(change, sign), atol=1e-4)]
        found = LastLayer(called[-1], signs[0]) if signs else None
    network.train(training)
    if found is None:
        raise ValueError(
            f"{type(network).__name__} does not end in a convolution that is its output, "
            "or is added to its input or subtracted from it"
        )
    return found


def _keeps_size(layer: Convolution) -> bool:
    plain = set(layer.stride) == set(layer.dilation) == {layer.groups} == {1} and layer.padding_mode == "zeros"
    centre = tuple(side // 2 for side in layer.kernel_size)
    return plain and layer.padding in ("same", centre) and all(side % 2 for side in layer.kernel_size)


@dataclass(frozen=True)
class _Moments:
    """Means over pixels of products of the last layer's features (``K``) and its ideal output (``C``)."""

    gram: Tensor  # (K, K)
    cross: Tensor  # (K, C)
    constant: Tensor  # (C,)

    def error(self, weights: Tensor) -> float:
        """Return the mean squared error of weights."""
        squares = (weights * (self.gram @ weights)).sum(0)
        return float((squares - 2 * (weights * self.cross).sum(0) + self.constant).mean())


class _Observer:
    """Runs a network and observes its last layer.

    Returns, for noisy images, the features of the pixels, ``(K, M)``, and the output of the layer that would make the
    network return the noisy images unchanged, ``(C, M)``.
    """

    def __init__(self, network: nn.Module, last: LastLayer) -> None:
        self.network, self.last = network, last

    def __call__(self, noisy: Tensor) -> tuple[Tensor, Tensor]:
        calls: list[Tensor] = []
        hook = self.last.layer.register_forward_pre_hook(lambda _, inputs: calls.append(inputs[0]))
        result = self.network(noisy).float()
        hook.remove()
        inputs = calls[-1].float()
        base = result - self.last.sign * self.last.layer(inputs)
        return _inner(self.last.features(inputs)), self.last.sign * _inner(noisy - base)


def _inner(images: Tensor) -> Tensor:
    """Return the pixels that are not near an edge: ``(N, K, H, W)`` becomes ``(K, M)``."""
    height, width = images.shape[-2:]
    high, wide = height // EDGE, width // EDGE
    return images[..., high : height - high, wide : width - wide].transpose(0, 1).flatten(1)


@torch.no_grad()
def solve_last_layer(
    network: nn.Module,
    last: LastLayer,
    batches: Iterable[Tensor],
    tests: Iterable[Tensor],
    sigma: float,
    seed: int,
) -> Solved:
    """Set the last layer of a network to the weights of the least error against clean frames, estimated on noisy ones.

    If the error on other frames becomes larger, the trained weights stay: with few pixels the layer overfits the noise.

    Parameters
    ----------
    network, last
        The network, in ``eval`` mode, and its last layer, whose weights are replaced.
    batches
        Noisy images, ``(N, C, H, W)`` each, on the network's device; their noise is Gaussian and independent.
    tests
        The same of other frames, on which the result is tested.
    sigma
        Standard deviation of the noise, white being 1.0.
    seed
        Seed of the directions along which derivatives are measured.

    Raises
    ------
    ValueError
        If there is no batch.
    """
    # TensorFloat-32 is too coarse for differences.
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        moments = _moments(network, last, batches, sigma, (seed, "stein"))
        test_moments = _moments(network, last, tests, sigma, (seed, "stein", "others"))
    trained = last.weights()
    power = moments.gram.diagonal()
    # A feature that is 0 everywhere has no power: its weights stay the same.
    hold = HELD * torch.diag(power.clamp(min=HELD * float(power.mean()) + 1e-12))
    solution = torch.linalg.solve(moments.gram + hold, moments.cross + hold @ trained)
    solved = Solved(test_moments.error(trained), test_moments.error(solution))
    if solved.better:
        last.put(solution)
    return solved


def _moments(
    network: nn.Module, last: LastLayer, batches: Iterable[Tensor], sigma: float, key: tuple[int, *tuple[str, ...]]
) -> _Moments:
    observe, step, sums, count = _Observer(network, last), STEP * sigma, None, 0
    for number, noisy in enumerate(batches):
        draw = torch_generator(*key, number)
        probe = (torch.randint(0, 2, noisy.shape, generator=draw).float() * 2 - 1).to(noisy.device)
        (features, rest), up, down = observe(noisy), observe(noisy + step * probe), observe(noisy - step * probe)
        slope, bend = ((one - other) / (2 * step) for one, other in zip(up, down, strict=True))
        along = sigma**2 * _inner(probe)
        # The ideal output is rest - sign * noise; products with the noise follow from Stein's identity.
        parts = (
            features @ features.T,
            features @ rest.T - last.sign * (slope @ along.T),
            (rest**2).sum(1) - 2 * last.sign * (bend * along).sum(1) + sigma**2 * features.shape[1],
        )
        doubles = [one.double().cpu() for one in parts]
        sums = doubles if sums is None else [total + one for total, one in zip(sums, doubles, strict=True)]
        count += features.shape[1]
    if sums is None:
        raise ValueError("last layer: found no noisy images, expected at least one batch")
    gram, cross, constant = (total / count for total in sums)
    return _Moments(gram, cross, constant)
