"""The last layer of a denoiser, solved from noisy frames alone by Stein's unbiased estimate of its error.

What a network is judged by in training may err: neighbours are aligned to a fraction of a pixel, and what moves looks a
little different a frame later. The target frame itself does not err, but holds the noise that the network sees. Stein's
identity (1981) takes that apart: for independent Gaussian noise n of variance v in y, and any function phi of y,

    E[n phi(y)] = v E[d phi / d y],

so that the mean squared error against the clean frame is known without that frame (Stein's unbiased risk estimate).
As a loss for a whole network its derivative is mostly noise. Of the last layer, which is linear in its weights (867 of
the U-Net's million), it is a quadratic function, whose minimum a few million pixels give in closed form. The derivative
is measured along one random direction, to both sides (Ramani et al. 2008).
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from self2align.networks.network import multiple_of
from self2align.runtime.seeding import torch_generator

STEP = 0.08  # of the difference, to either side, as a share of the noise
HELD = 1e-4  # how firmly weights are held where the pixels say nothing, as a share of each feature's power
EDGE = 8  # a part so small of each side is left out: near edges features see padding, as they seldom do in use

Convolution = nn.Conv2d | nn.ConvTranspose2d


@dataclass(frozen=True)
class LastLayer:
    """A network's last layer, a convolution that is added to, or taken off, what the network has besides.

    Attributes
    ----------
    layer
        The convolution, of stride 1, that keeps the size.
    sign
        1 where it is added, -1 where it is taken off.
    """

    layer: Convolution
    sign: int

    @property
    def transposed(self) -> bool:
        """Return whether it is a transposed convolution: one whose kernel is turned over."""
        return isinstance(self.layer, nn.ConvTranspose2d)

    def weights(self) -> Tensor:
        """Return the weights in float64, ``(features, C)``: those of a patch, then the bias where there is one."""
        weight, bias = self.layer.weight.detach(), self.layer.bias
        if self.transposed:
            weight = weight.flip(2, 3).transpose(0, 1)
        parts = [weight.flatten(1)] if bias is None else [weight.flatten(1), bias.detach()[:, None]]
        return torch.cat(parts, 1).double().cpu().T

    @torch.no_grad()
    def put(self, weights: Tensor) -> None:
        """Set the weights, as ``weights`` returns them."""
        weight, bias = self.layer.weight, self.layer.bias
        patch = (weights if bias is None else weights[:-1]).T
        if self.transposed:
            inputs, outputs, high, wide = weight.shape
            weight.copy_(patch.reshape(outputs, inputs, high, wide).transpose(0, 1).flip(2, 3))
        else:
            weight.copy_(patch.reshape(weight.shape))
        if bias is not None:
            bias.copy_(weights[-1])

    def features(self, seen: Tensor) -> Tensor:
        """Return what each pixel of the layer is made of, ``(N, features, H, W)``; ``seen`` is the layer's input."""
        high, wide = (int(side) for side in self.layer.kernel_size)
        patches = functional.unfold(seen, (high, wide), padding=(high // 2, wide // 2))
        patches = patches.view(len(seen), -1, *seen.shape[-2:])
        return patches if self.layer.bias is None else torch.cat([patches, torch.ones_like(patches[:, :1])], 1)


@dataclass(frozen=True)
class Solved:
    """What solving gave: mean squared errors against clean frames, white being 1.0, as other noisy frames tell them.

    Attributes
    ----------
    before, after
        Of the trained and of the solved layer; an estimate of an error near 0 may be less than 0.
    """

    before: float
    after: float

    @property
    def better(self) -> bool:
        """Return whether the solved layer is the better one, and was kept."""
        return self.after < self.before


@torch.no_grad()
def last_layer(network: nn.Module, channels: int) -> LastLayer:
    """Find the last layer of a network.

    Raises
    ------
    ValueError
        When it is not such a convolution, or something comes after it.
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
            "or is added to its input or taken off it"
        )
    return found


def _keeps_size(layer: Convolution) -> bool:
    plain = set(layer.stride) == set(layer.dilation) == {layer.groups} == {1} and layer.padding_mode == "zeros"
    centre = tuple(side // 2 for side in layer.kernel_size)
    return plain and layer.padding in ("same", centre) and all(side % 2 for side in layer.kernel_size)


@dataclass(frozen=True)
class _Moments:
    """Means of products, over pixels, of what the last layer sees (``K`` features) and of what it is to give."""

    gram: Tensor  # (K, K)
    cross: Tensor  # (K, C)
    constant: Tensor  # (C,)

    def error(self, weights: Tensor) -> float:
        """Return the mean squared error that weights give."""
        squares = (weights * (self.gram @ weights)).sum(0)
        return float((squares - 2 * (weights * self.cross).sum(0) + self.constant).mean())


class _Glass:
    """Looks at what a network's last layer sees.

    Returns, for noisy images, the features ``(K, M)`` of the pixels, and what the layer should give there if it were
    to give back the noise too, ``(C, M)``.
    """

    def __init__(self, network: nn.Module, last: LastLayer) -> None:
        self.network, self.last = network, last

    def __call__(self, noisy: Tensor) -> tuple[Tensor, Tensor]:
        came: list[Tensor] = []
        hook = self.last.layer.register_forward_pre_hook(lambda _, inputs: came.append(inputs[0]))
        result = self.network(noisy).float()
        hook.remove()
        seen = came[-1].float()
        base = result - self.last.sign * self.last.layer(seen)
        return _inner(self.last.features(seen)), self.last.sign * _inner(noisy - base)


def _inner(images: Tensor) -> Tensor:
    """Return the pixels that are not near an edge, ``(N, K, H, W)`` to ``(K, M)``."""
    height, width = images.shape[-2:]
    high, wide = height // EDGE, width // EDGE
    return images[..., high : height - high, wide : width - wide].transpose(0, 1).flatten(1)


@torch.no_grad()
def solve_last_layer(
    network: nn.Module,
    last: LastLayer,
    batches: Iterable[Tensor],
    others: Iterable[Tensor],
    sigma: float,
    seed: int,
) -> Solved:
    """Set a network's last layer to what has the least error on clean frames, as far as noisy ones tell.

    Where other frames say that it has become worse, it stays as it was: of few pixels it learns their noise by heart.

    Parameters
    ----------
    network, last
        The network, in use (``eval``), and its last layer, whose weights are replaced.
    batches
        Noisy images, ``(N, C, H, W)`` each, on the network's device, whose noise is Gaussian and independent.
    others
        The same of other frames.
    sigma
        Standard deviation of the noise, white being 1.0.
    seed
        Of the directions along which derivatives are measured.
    """
    # Products of TensorFloat-32 are too coarse for differences.
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False):
        mine = _moments(network, last, batches, sigma, (seed, "stein"))
        theirs = _moments(network, last, others, sigma, (seed, "stein", "others"))
    trained = last.weights()
    power = mine.gram.diagonal()
    # A feature that is 0 everywhere has no power: its weights stay what they are.
    hold = HELD * torch.diag(power.clamp(min=HELD * float(power.mean()) + 1e-12))
    solved = torch.linalg.solve(mine.gram + hold, mine.cross + hold @ trained)
    found = Solved(theirs.error(trained), theirs.error(solved))
    if found.better:
        last.put(solved)
    return found


def _moments(
    network: nn.Module, last: LastLayer, batches: Iterable[Tensor], sigma: float, key: tuple[int, *tuple[str, ...]]
) -> _Moments:
    look, step, sums, count = _Glass(network, last), STEP * sigma, None, 0
    for number, noisy in enumerate(batches):
        draw = torch_generator(*key, number)
        probe = (torch.randint(0, 2, noisy.shape, generator=draw).float() * 2 - 1).to(noisy.device)
        (features, rest), up, down = look(noisy), look(noisy + step * probe), look(noisy - step * probe)
        slope, bend = ((one - other) / (2 * step) for one, other in zip(up, down, strict=True))
        along = sigma**2 * _inner(probe)
        # The layer should give rest - sign * noise, whose products with anything are Stein's derivatives.
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
