"""Solving the last layer of a denoiser on the crops that it was trained on."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from self2align.networks.network import multiple_of
from self2align.networks.normalised import LEVEL
from self2align.noise.model import NoiseSettings
from self2align.runtime.progress import Bars, Progress
from self2align.runtime.workers import exact_threads
from self2align.training.crops import TRAINING, VALIDATION, Crops
from self2align.training.last_layer import LastLayer, Solved, last_layer, solve_last_layer
from self2align.training.settings import DenoiserSettings

LAST_LAYER_BATCHES, LAST_LAYER_TESTS = 256, 64  # eight million pixels and two, for several hundred weights
TEST_SHARE = 8  # without validation scenes, the last eighth of the rows tests the last layer

# () -> figures, notes
Solve = Callable[[], tuple[dict[str, Any], tuple[str, ...]]]


def last_layer_solver(
    network: nn.Module, crops: Crops, settings: DenoiserSettings, downscale: int, noise: NoiseSettings, bars: Bars
) -> Solve:
    """Return a function that solves a network's last layer and returns figures and notes.

    Parameters
    ----------
    network
        The network that is being trained.
    crops
        What it is trained on. Other rows test the result: validation rows, or the last training rows.
    settings
        Augmentation and CPU threads.
    downscale
        See `self2align.objectives.objective.Objective`.
    noise
        Of the crops: Gaussian, of one level unless the crops are brought to one.
    bars
        Opens a progress display.

    Raises
    ------
    ValueError
        Before anything is trained, if the network does not end in a convolution.
    """
    try:
        last = last_layer(network, crops.held["target"].shape[1])
    except ValueError as error:
        raise ValueError(f"train_denoiser.last_layer: found stein, expected trained: {error}") from error
    roles = crops.roles.copy()
    if not (roles == VALIDATION).any():
        roles[-max(1, len(roles) // TEST_SHARE) :] = VALIDATION
    split = replace(crops, roles=roles)

    def solve() -> tuple[dict[str, Any], tuple[str, ...]]:
        with bars("solving the last layer") as progress, exact_threads(settings.training.threads):
            solved = _solve(
                network, last, split, settings, downscale, LEVEL if crops.levelled else noise.sigma / 255, progress
            )
        before, after = (-10 * math.log10(max(error, 1e-9)) for error in (solved.before, solved.after))
        figures = {"trained_psnr": round(before, 3), "solved_psnr": round(after, 3), "kept": solved.better}
        kept = "kept" if solved.better else "not kept"
        note = f"last layer solved and {kept}: {after:.3f} dB, before {before:.3f} dB, estimated on other noisy crops"
        return {"last_layer": figures}, (note,)

    return solve


def _solve(
    network: nn.Module,
    last: LastLayer,
    crops: Crops,
    settings: DenoiserSettings,
    downscale: int,
    sigma: float,
    progress: Progress,
) -> Solved:
    place = next(network.parameters()).device
    multiple, share = multiple_of(network), settings.subsample_for(downscale)
    counts = crops.batch_count(TRAINING, LAST_LAYER_BATCHES), crops.batch_count(VALIDATION, LAST_LAYER_TESTS)

    def batches(role: int, count: int, done: int) -> Iterator[Tensor]:
        for number, noisy in enumerate(crops.noisy_targets(settings, multiple, share, role, count), done + 1):
            yield noisy.to(place)
            progress(number, sum(counts))

    training, tests = batches(TRAINING, counts[0], 0), batches(VALIDATION, counts[1], counts[0])
    return solve_last_layer(network, last, training, tests, sigma, crops.seed)
