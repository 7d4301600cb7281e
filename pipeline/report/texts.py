"""Texts that both pages of the report share, with `code` and *emphasis* as in Markdown."""

import io
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML

from self2align.report.results import Results
from self2align.report.samples import Samples

REPEATS = {
    "quick": "quick (the first repeat of each test set, with the noise of the full protocol)",
    "full": "full (all repeats of each test set, as published)",
}
BENCHMARK = (
    "How well each method removes noise from the still images of the test sets. All methods get the same noisy pixels. "
    "Higher is better for PSNR (dB) and SSIM; the best value of each column is marked."
)
RECORDS = "Published by others for this protocol, means over all repeats; none of it was measured here."
ABLATION = (
    "All lines have the same pairs, network and number of steps; the first line is the denoiser of Table 1. `adaptive` "
    "is equation 7 of the paper, `ssim` its strategy 2, `fixed` its strategy 1."
)
PUBLISHED_ABLATION = "The paper's own Table 2, published; not measured here."
COMPARISON = (
    "The same crop for every method, from the first repeat, where the clean image has the most detail. PSNR and SSIM "
    "are those of the whole image."
)
VIDEO = (
    "How well each method removes noise from the sequences of `benchmark_videos`, by DVDnet's protocol: white Gaussian "
    "noise that is not clipped; PSNR (dB) and SSIM of a sequence are means over its frames, and the tables have means "
    "over sequences. All methods get the same noisy frames.",
    "*Flicker* is the RMS error of the difference of neighbouring frames along the motion, in levels of 255: lower is "
    "steadier. *Ghosting* compares a method that uses neighbours with the single-frame row: the ratio of their squared "
    "errors, in dB, over the one in a hundred blocks of 16 px where the method does worst against it. 0 is no ghost.",
)
NO_PICTURES = "No method saved a picture (`benchmark.pictures`)."
ALIGNMENT = (
    "Measured on scenes with the role `test`. The clean neighbour is warped with the field estimated from the noisy "
    "frames and compared with the clean target. *Where confident* covers the same share of the pixels for every "
    "aligner (`evaluate_alignment.coverage`): those where it is most confident. *Confidence* is the mean over all "
    "pixels.",
    "*Noise ratio* is the standard deviation of the neighbour's noise after warping, divided by that before warping. "
    "It is about 0.67 for bilinear sampling at random subpixel positions. 0.50 means that the aligner has collapsed to "
    "half-pixel shifts, which average four pixels everywhere. *Noise correlation* is the correlation of the warped "
    "noise with the noise of the target. It must be 0. Otherwise the field follows the noise, and a denoiser learns to "
    "keep it.",
)
SCORES = "Noise keeps `ssim` low even for perfect pairs; `ssim_filtered` is near 1 for them at any noise level."
GALLERY = (
    "Some pairs, from the worst to the best aligned: the target, its neighbour at the same position, the neighbour "
    "after warping, and the confidence (white is high)."
)
CURVES = "Different objectives have different minimal losses. Compare the shapes of the curves, not their levels."
NOISE = (
    "The noise of the first scenes: its deviation by brightness, of 255, for each channel; the correlation of pixels "
    "that are some px apart; its power along x; and what is carried to the next frames along the motion."
)


def benchmark_text(results: Results) -> str:
    """Return what Table 1 shows."""
    reference = results.reference
    return BENCHMARK + (f" Gains are relative to `{reference}`, the noisy images." if reference else "")


def systems_text(results: Results) -> str:
    """Return what the table of the paper's systems shows."""
    text = (
        "All systems that the paper compares, with PSNR (dB) and SSIM. Systems without a row in the benchmark were not "
        "run. Self2Align is the paper's own objective and sampler; the denoiser of this run is in Table 1."
    )
    apart = " Published figures are the paper's, from other code and other training data: use them for orientation."
    return text + (apart if results.published else "")


def samples_text(results: Results, samples: Samples) -> str:
    """Return what the crops before and after denoising show."""
    return samples.describe(held_out=results.pairs["validation_pairs"] > 0)


def pairs_text(results: Results) -> str:
    """Return how many pairs there are, and what their scores mean."""
    pairs = results.pairs
    return (
        f"{pairs['pairs']:,} pairs for training, {pairs['validation_pairs']:,} for validation; "
        f"{counted(pairs['scenes_left_out'], 'scene')} left out. `ssim` compares noisy crops (equation 7 of the "
        "paper). `ssim_filtered` compares low-passed crops and subtracts the contribution of the noise. `gain` and "
        "`offset` are the change of exposure between the two frames."
    )


def counted(number: int, unit: str) -> str:
    """Return a number with its unit in the singular or plural: "1 scene", "2 scenes"."""
    return f"{number} {unit}" + ("s" if number != 1 else "")


def parameters_yaml(parameters: Mapping[str, Any]) -> str:
    """Return parameters as YAML that reads back as the same values."""
    yaml = YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.default_flow_style = None
    yaml.width = 1000
    text = io.StringIO()
    yaml.dump(dict(parameters), text)
    return text.getvalue().rstrip()
