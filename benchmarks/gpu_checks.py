"""What a device computes, beside the CPU: networks, objectives, aligners, warps, scores, tiles, fusing, training.

Each check runs the package's own code twice on the same values: on the device in float32, and on the CPU, in float64
where the code can. `benchmarks/gpu.py` prints the differences and their limits.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, shift
from torch import Tensor, nn

from self2align.alignment import LOSSES
from self2align.alignment.aligned import align_both
from self2align.alignment.aligner import estimate
from self2align.alignment.copies import copied_pixels
from self2align.alignment.loading import load_aligner, make_aligner
from self2align.alignment.warp import warp
from self2align.denoising import tiling
from self2align.denoising.frames import WithNeighbours
from self2align.denoising.inference import core
from self2align.denoising.tiled import TiledDenoiser
from self2align.networks import NETWORKS
from self2align.networks.network import build_network
from self2align.networks.normalised import LEVEL, Normalised
from self2align.objectives import OBJECTIVES
from self2align.objectives.n2n import n2n
from self2align.pairs.generate import crop_rows
from self2align.pairs.plan import PairCrop
from self2align.pairs.scores import pair_ssim, ssim_filtered
from self2align.runtime.devices import place
from self2align.runtime.families import load
from self2align.samplers import SAMPLERS
from self2align.samplers.sampler import bernoulli, load_sampler
from self2align.stores.weights import load_part
from self2align.training.last_layer import last_layer, solve_last_layer
from self2align.training.loop import train
from self2align.training.settings import TrainingSettings
from self2align.training.starting import with_seed

STARTS = Path(__file__).parent.parent / "starts"
CPU = torch.device("cpu")
SIGMA = 25 / 255
SMALL = {"width": 16, "depth": 2}  # U-Net of the checks that are not about the network
FEWER: dict[str, dict[str, Any]] = {  # of checks that take seconds
    "dncnn": {"width": 16, "depth": 5},
    "memnet": {"width": 16, "blocks": 2, "recursions": 2},
    "nafnet": {"width": 8},
    "rednet": {"width": 16, "half": 4},
    "sgn": {"width": 8, "levels": 2},
    "unet": SMALL,
}
MOTION = (0.7, 1.6)  # px a frame, down and right
Values = Sequence[Tensor]
Run = Callable[[torch.device, torch.dtype], Values]


@dataclass(frozen=True)
class Check:
    """One path of the package.

    Attributes
    ----------
    part, name
        What is compared.
    run
        ``(device, dtype) -> tensors``: the same random draws whatever the device.
    limit
        Of the difference: see `difference`.
    exact
        Whether the CPU computes in float64. Some code is float32 alone.
    mean
        Whether means are compared, not largest values: where a rounding may turn a decision over at some pixels.
    """

    part: str
    name: str
    run: Run
    limit: float
    exact: bool = True
    mean: bool = False


def difference(check: Check, where: torch.device) -> float:
    """Return the largest (or mean) absolute difference of device and CPU, over the largest (or mean) absolute value."""
    expected = check.run(CPU, torch.float64 if check.exact else torch.float32)
    found = check.run(where, torch.float32)
    worst = 0.0
    for one, other in zip(expected, found, strict=True):
        one, other = one.detach().double(), other.detach().cpu().double()
        if one.shape != other.shape or bool((one.isfinite() != other.isfinite()).any()):
            return float("inf")
        size, apart = one.nan_to_num().abs(), (one - other).nan_to_num().abs()
        ratio = apart.mean() / size.mean().clamp(min=1e-12) if check.mean else apart.max() / size.max().clamp(min=1e-12)
        worst = max(worst, float(ratio))
    return worst


@lru_cache(maxsize=4)
def _footage(count: int, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Return clean and noisy frames of a moving picture, ``(T, 3, H, W)``, float64, white being 1.0."""
    draw = np.random.default_rng(7)
    room = 8 + int(max(MOTION) * count)
    big = (3, height + room, width + room)
    picture = sum(gaussian_filter(draw.standard_normal(big), (0, s, s)) * s for s in (1.5, 3.0, 6.0, 12.0))
    picture = np.clip(0.5 + 0.2 * picture / picture.std(), 0, 1)
    moved = [shift(picture, (0, *(one * at for one in MOTION)), order=3, mode="mirror") for at in range(count)]
    clean = torch.from_numpy(np.stack(moved)[..., room // 2 :, room // 2 :][..., :height, :width].copy())
    return clean, clean + SIGMA * torch.from_numpy(draw.standard_normal(clean.shape))


def noisy_footage(count: int, height: int, width: int) -> NDArray[np.float32]:
    """Return noisy frames of a moving picture, ``(T, 3, H, W)``, white being 1.0; the larger ones repeat a part."""
    small = min(height, 256), min(width, 256)
    noisy = _footage(count, *small)[1].numpy().astype(np.float32)
    times = -(-height // small[0]), -(-width // small[1])
    return np.tile(noisy, (1, 1, *times))[..., :height, :width].copy()


def _random(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _filled(make: Callable[[], nn.Module]) -> nn.Module:
    """Return a network with random weights in every layer: a new one is the identity."""
    network, draw = with_seed(make, 0, "check"), torch.Generator().manual_seed(0)
    for weight in network.parameters():
        scale = weight[0].numel() ** -0.5 if weight.ndim > 1 else 0.1
        with torch.no_grad():
            weight.add_(scale * torch.randn(weight.shape, generator=draw))
    return network


def _denoiser(name: str, **arguments: Any) -> nn.Module:
    return Normalised(build_network(name, 3, arguments))


def _gradients(network: nn.Module, loss: Tensor) -> Tensor:
    torch.autograd.backward(loss)
    return torch.cat([one.grad.flatten() for one in network.parameters() if one.grad is not None])


def _network(
    name: str, arguments: dict[str, Any], side: int, half: bool, where: torch.device, dtype: torch.dtype
) -> Values:
    """Run a network forward and back, as single frames are denoised: without TF32."""
    network = place(_filled(lambda: _denoiser(name, **arguments)).to(dtype), where)
    noisy = _footage(2, side, side)[1].to(where, dtype)
    lowered = torch.autocast(where.type, torch.bfloat16) if half and dtype == torch.float32 else nullcontext()
    with torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False), lowered:
        made = network(noisy)
        return made, _gradients(network, made.float().square().mean() if half else made.square().mean())


def _batch(side: int, neighbours: bool) -> dict[str, Tensor]:
    """Return a batch as the feeds make it, for every objective."""
    count = 4
    clean, first = _footage(count, side, side)
    second = clean + SIGMA * _random(3, *clean.shape)
    transfer = 0.5 * _random(4, count, 2, side, side)
    confidence = torch.sigmoid(_random(5, count, side, side))
    batch = {"target": second, "source": first, "warped": first, "first": first, "second": second, "clean": clean}
    batch |= {"transfer": transfer, "confidence": confidence, "progress": torch.tensor(0.5, dtype=torch.float64)}
    columns = {"keep": 0.8, "gain": 1.1, "offset": 0.01}
    batch |= {name: torch.full((count,), value) for name, value in columns.items()}
    batch |= {"level": torch.full((count, 1, 1, 1), LEVEL), "weight": torch.ones(count, 1, 1, 1)}
    batch["white"] = torch.tensor([1.0, 0.0, 1.0, 1.0])
    if neighbours:
        batch["warped"] = torch.stack([first, second], 1)
        batch["confidence"] = torch.stack([confidence, confidence.flip(-1)], 1)
    return batch


def _objective(name: str, side: int, where: torch.device, dtype: torch.dtype) -> Values:
    objective = load(OBJECTIVES, name, "objective")
    network = place(_filled(lambda: _denoiser("unet", **SMALL)).to(dtype), where)
    batch = {key: value.to(where, dtype) for key, value in _batch(side, objective.neighbours).items()}
    loss = objective.loss(network, batch, torch.Generator().manual_seed(1))
    return loss, _gradients(network, loss)


def _trained(kind: str, **arguments: Any) -> Any:
    """Return an aligner: `refined_dis` with trained weights, as random ones find motions far off."""
    aligner: Any = make_aligner(kind, 3, arguments)
    if kind == "refined_dis":
        tensors, _ = load_part(STARTS / "davis_motion.safetensors", "aligner")
        aligner.load_state_dict(tensors)
    elif isinstance(aligner, nn.Module):
        aligner = _filled(lambda: make_aligner(kind, 3, arguments))
    return aligner


def _aligner(kind: str, arguments: dict[str, Any], side: int, where: torch.device, dtype: torch.dtype) -> Values:
    aligner = _trained(kind, **arguments)
    if isinstance(aligner, nn.Module):
        aligner = place(aligner.to(dtype), where).eval()
    frames = _footage(2, side, side)[1].to(where, dtype)
    with torch.no_grad():
        field, expected = estimate(aligner, frames[:1], frames[1:])
    return (field,) if expected is None else (field, expected)


def _alignment_loss(name: str, kind: str, side: int, shared: bool, where: torch.device, dtype: torch.dtype) -> Values:
    network = place(_trained(kind, **({"start": "zero"} if kind == "refined_dis" else {})).to(dtype), where)
    frames = _footage(2, side, side)[1].to(where, dtype)
    batch = {"target": frames[:1], "source": frames[1:]}
    if shared:
        batch |= {f"{key}_noise": SIGMA * _random(9, *one.shape).to(one) for key, one in list(batch.items())}
    loss = load(LOSSES, name, "loss")(network, batch, torch.Generator().manual_seed(1))
    return loss, _gradients(network, loss)


def _align_both(side: int, where: torch.device, dtype: torch.dtype) -> Values:
    """Align a frame and its neighbour with trained weights, cut pairs and score them, as `generate_pairs` does."""
    aligner = load_aligner(STARTS / "davis_motion.safetensors", where)
    first, second = _footage(2, side, side)[1].to(where, dtype)
    there, back = align_both(first, second, aligner, True)
    crops = [PairCrop(0, 0, 1, at, at) for at in (0, 8)]
    rows = crop_rows(there, first, second, crops, side - 16, 8, "sinc")
    return there.transfer, there.confidence, back.warped, *(torch.from_numpy(one) for one in rows.values())


def _warp(kernel: str, side: int, where: torch.device, dtype: torch.dtype) -> Values:
    image = _footage(2, side, side)[1].to(where, dtype)
    # Away from half pixels, where rounding would choose another nearest one.
    field = (0.4 * torch.tanh(_random(2, 2, 2, side, side))) + 3
    return (warp(image, field.to(where, dtype), kernel),)


def _scores(side: int, where: torch.device, dtype: torch.dtype) -> Values:
    clean, noisy = (one.to(where, dtype) for one in _footage(2, side, side))
    return pair_ssim(noisy[:1], noisy[1:]), ssim_filtered(noisy, clean + 0.1 * (noisy - clean).flip(-1))


def _copies(side: int, where: torch.device, dtype: torch.dtype) -> Values:
    first, second = _footage(2, side, side)[1].to(where, dtype)
    half = torch.cat([first[..., : side // 2], second[..., side // 2 :]], -1)
    found = copied_pixels(first, half, (0.0, SIGMA**2))
    return (torch.zeros(1) if found is None else found.float(),)


def _sampled(name: str, where: torch.device, dtype: torch.dtype) -> Values:
    """Return which pixels are kept: the same on every device."""
    sampler = load_sampler(name)
    score = torch.rand((8, 32, 32) if sampler.kind == "map" else (8,), generator=torch.Generator().manual_seed(0))
    keep = sampler.keep(score.to(where), 0.5)
    return (bernoulli(torch.ones(8, 3, 32, 32, device=where), keep, torch.Generator().manual_seed(1)),)


def _tiles(name: str, side: int, where: torch.device, dtype: torch.dtype) -> Values:
    """Denoise a frame in tiles on the device, and whole on the CPU where the receptive field has an end."""
    network = place(_filled(lambda: _denoiser(name, **FEWER[name])), where).eval()
    noisy = noisy_footage(1, side, side)[0]
    whole = where.type == "cpu" and name != "nafnet"
    needed = tiling.bytes_per_pixel(core(network), 3) * tiling.WORKSPACE * side**2
    denoiser = TiledDenoiser(network, 3, device=where, memory=int((4.0 if whole else 0.8) * needed))
    assert (len(denoiser.tiles_for(side, side)) == 1) == whole
    return (torch.from_numpy(denoiser(noisy, sigma=SIGMA)),)


def _temporal(radius: int, side: int, where: torch.device, dtype: torch.dtype) -> Values:
    """Denoise the middle of a clip with trained weights, alone or with neighbours; the noise is measured."""
    noisy = _footage(2 * radius + 1, side, side)[1].numpy().astype(np.float32)
    denoiser = TiledDenoiser.load(STARTS / "davis_levels.safetensors", device=where, memory=2**31)
    if not radius:
        return (torch.from_numpy(denoiser(noisy[0])),)
    fused = WithNeighbours(denoiser, load_aligner(STARTS / "davis_motion.safetensors", where), radius)
    return (torch.from_numpy(list(fused(iter(noisy)))[radius]),)


def _training(steps: int, side: int, where: torch.device, dtype: torch.dtype) -> Values:
    """Train a small network for some steps; the losses of all, and the weights at the end."""
    network = _filled(lambda: _denoiser("unet", **SMALL))
    batch = {key: value.float() for key, value in _batch(side, False).items()}
    losses: list[float] = []
    settings = TrainingSettings(
        steps, 4, side, 1e-3, "cosine", 0.5, 100, 2, 1.0, "float32", 1, 10 * steps, steps, 10 * steps
    )
    with TemporaryDirectory() as folder:
        train(
            network,
            n2n,
            lambda _: dict(batch),
            settings,
            bfloat16=False,
            device=where,
            seed=0,
            purpose="check",
            checkpoint=Path(folder) / "checkpoint",
            validation=[batch],
            watch=lambda done, loss, curve: losses.append(loss),
        )
    return (torch.tensor(losses),)


def _last_layer(side: int, where: torch.device, dtype: torch.dtype) -> Values:
    network = place(_filled(lambda: _denoiser("unet", **SMALL)), where).eval()
    noisy = [one[None].float().to(where) for one in _footage(4, side, side)[1]]
    solved = solve_last_layer(network, last_layer(network, 3), noisy[:2], noisy[2:], SIGMA, 0)
    return (torch.tensor([solved.before, solved.after]),)


def checks(small: bool = False) -> Iterator[Check]:
    """Yield the checks; small ones take seconds on a CPU."""
    side, wide = (32, 64) if small else (128, 256)
    for name in NETWORKS:
        arguments, double = FEWER[name] if small else {}, name != "nafnet"  # whose layer norm is float32
        yield Check("network", name, partial(_network, name, arguments, side, False), 1e-3, double)
        if name == "unet" or not small:
            yield Check("network, bfloat16", name, partial(_network, name, arguments, side, True), 0.1, double, True)
    for name in OBJECTIVES:
        yield Check("objective", name, partial(_objective, name, side), 1e-2)
    for kind, arguments in (("dis", {}), ("ian", {}), ("refined_dis", {"start": "zero", "levels": 4})):
        # DIS sees frames in 256 levels: a rounding there changes some of its field.
        classical = kind == "dis"
        yield Check("aligner", kind, partial(_aligner, kind, arguments, wide), 2e-2, exact=not classical, mean=True)
    yield Check("alignment loss", "photometric", partial(_alignment_loss, "photometric", "ian", side, False), 1e-2)
    yield Check("alignment loss", "split", partial(_alignment_loss, "split", "refined_dis", side, False), 1e-2)
    yield Check("alignment loss", "split, shared", partial(_alignment_loss, "split", "refined_dis", side, True), 1e-2)
    yield Check("pairs", "aligned, cut, scored", partial(_align_both, wide), 2e-2, exact=False, mean=True)
    for kernel in ("bilinear", "bicubic", "nearest", "sinc"):
        yield Check("warp", kernel, partial(_warp, kernel, side), 1e-3)
    yield Check("score", "ssim, ssim_filtered", partial(_scores, wide), 1e-4)
    yield Check("score", "copied pixels", partial(_copies, wide), 0.0, exact=False)
    for name in SAMPLERS:
        yield Check("sampler", name, partial(_sampled, name), 0.0, exact=False)
    yield Check("tiles", "unet, by halos", partial(_tiles, "unet", 3 * wide), 1e-3, exact=False)
    if not small:  # to find that its receptive field has no end takes seconds
        yield Check("tiles", "nafnet, blended", partial(_tiles, "nafnet", 3 * wide), 1e-3, exact=False)
    for radius in (0, 1) if small else (0, 2):
        find = partial(_temporal, radius, 48 if small else wide)
        yield Check("denoised", f"{radius} neighbours", find, 2e-3, exact=False, mean=True)
    yield Check("training", "losses of 10 steps", partial(_training, 10, side), 1e-2, exact=False)
    yield Check("training", "last layer", partial(_last_layer, side), 1e-2, exact=False)
