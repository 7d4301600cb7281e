"""What the pages of the report show: the figures of all stages, and pictures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from self2align.report.figures import Compared, Curve
from self2align.report.samples import Samples
from self2align.report.tables import AblationLine
from self2align.report.videos import VideoResults


@dataclass(frozen=True)
class Results:
    """The figures of all stages.

    Attributes
    ----------
    noise
        In words.
    repeats
        "quick" or "full".
    sets
        Test sets, in order.
    noisy
        The row of the benchmark that leaves the noise in; None if there is none.
    benchmark
        Method -> set -> ``images, psnr, repeats, ssim``; or ``{"skipped": reason}``.
    means
        (method, set, image) -> PSNR (dB) and SSIM, means over repeats.
    systems
        System of the paper -> its row of the benchmark, or None (`self2align.report.published.rows_of_systems`).
    published
        Test sets with published figures (`self2align.report.published.comparable_sets`).
    ablation
        Lines of Table 2; may be empty.
    alignment
        Aligner -> measures (`self2align.report.tables.alignment_table`); or ``{"skipped": reason}``.
    scenes
        Alignment of each scene: ``aligner, scene, psnr, ...``, as text.
    pairs
        Counts and spreads of the pair store.
    trainings
        Name -> figures and the objective, or ``{"skipped": reason}``; the denoiser first.
    curves
        Of the trainings.
    parameters
        All of them.
    versions
        Of the packages that affect the figures.
    videos
        Of the benchmark of video; None if it has no rows.
    """

    noise: str
    repeats: str
    sets: Sequence[str]
    noisy: str | None
    benchmark: Mapping[str, Mapping[str, Any]]
    means: Mapping[tuple[str, str, str], tuple[float, float]]
    systems: Mapping[str, str | None]
    published: Mapping[str, int]
    ablation: Sequence[AblationLine]
    alignment: Mapping[str, Any]
    scenes: Sequence[Mapping[str, str]]
    pairs: Mapping[str, Any]
    trainings: Mapping[str, Mapping[str, Any]]
    curves: Sequence[Curve]
    parameters: Mapping[str, Any]
    versions: Mapping[str, str]
    videos: VideoResults | None = None

    @property
    def measured(self) -> list[str]:
        """Return the methods that the benchmark measured, in order."""
        return [name for name, row in self.benchmark.items() if "skipped" not in row]

    @property
    def reference(self) -> str | None:
        """Return the row that gains are relative to: ``noisy``, if it was measured."""
        return self.noisy if self.noisy in self.measured else None


@dataclass(frozen=True)
class GalleryPair:
    """An aligned pair, as pictures.

    Attributes
    ----------
    title, scores
        Scene and frames; SSIM and confidence, in words.
    pictures
        Name -> PNG file, in order.
    """

    title: str
    scores: str
    pictures: Mapping[str, bytes]


@dataclass(frozen=True)
class Illustrations:
    """The pictures of the report.

    Attributes
    ----------
    images
        Of the visual comparison.
    missing
        "method: set/image" of each picture that the comparison lacks.
    samples
        Crops before and after denoising; None if the training left none.
    pairs
        Some aligned pairs.
    files
        comparison.png, samples.png, noise.png, alignment.png, scores.png and curve.png -> PNG file, or None if there is
        none.
    """

    images: Sequence[Compared]
    missing: Sequence[str]
    samples: Samples | None
    pairs: Sequence[GalleryPair]
    files: Mapping[str, bytes | None]
