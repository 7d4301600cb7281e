"""What weights say of the noise that they are for, compared with what is found in frames."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from self2align.denoising.levels import FrameNoise

VARIED = 1.3  # largest over smallest sigma of frames: below that nothing is said
NEAR = 1.1  # a level so many times beyond the range of the training is within it


@dataclass(frozen=True)
class Purpose:
    """What weights say of the noise that they are for.

    Attributes
    ----------
    normalised
        Whether the network sees noise of one level, whatever that of the frame.
    sigma
        Lowest and highest standard deviation that the network was told in training, on the scale of 255; None if
        unknown.
    correlated
        Whether neighbouring pixels shared noise; None if unknown.
    """

    normalised: bool
    sigma: tuple[float, float] | None
    correlated: bool | None

    @classmethod
    def of(cls, header: Mapping[str, Any]) -> "Purpose":
        """Return what the header of a weights file says."""
        seen = header.get("noise_seen") or {}
        sigma, within = seen.get("sigma"), seen.get("told_within") or 1.0
        told = (sigma[0] / within, sigma[1] * within) if sigma else None
        return cls(header.get("normalised") is not None, told, seen.get("correlated"))

    def compare(self, noise: FrameNoise) -> list[str]:
        """Return what a user should know about frames with this noise: one line each."""
        sigma, found = 255 * noise.sigma, noise.measured
        text = f"sigma {round(sigma, 2):.3g} of 255"
        if found is None and sigma == 0:
            return ["the frame is too small to measure its noise: left as it is (--sigma sets the level)"]
        if noise.drawn:
            return [
                f"what looks like noise, {text}, is more than noise can be in this range, as in drawings and text: "
                "left as it is (--sigma sets the level)"
            ]
        if noise.nothing:
            return [f"no noise to speak of, {text}: left as it is (--sigma sets the level)"]
        how = "as told" if found is None else "measured"
        kind = ", more where it is bright" if any(gain for gain, _ in noise.lines) else ""
        if noise.shared:
            kind += f", {noise.shared:.0%} of it the same in all channels"
        lines = [f"noise: {text}{kind}, {how}{self._level(sigma)}"]
        if noise.quarters is not None:
            low, high = (255 * one for one in noise.quarters)
            lines.append(
                f"noise is uneven over the frame: sigma {low:.3g} to {high:.3g} in its quarters. Where there is more "
                "than measured, it stays (in Python sigma= takes a map)"
            )
        return [*lines, *self.doubts(noise)]

    def doubts(self, noise: FrameNoise) -> list[str]:
        """Return what may go wrong in a frame of this noise: one line, or none."""
        found = noise.measured
        if found is None or noise.nothing:
            return []
        if found.correlated and self.correlated is False:
            return [
                "neighbouring pixels share noise (demosaicing, compression); these weights are for independent noise "
                "and will leave blotches: train on this footage (self2align init)"
            ]
        if not found.correlated and not found.certain:
            return [f"the level may be off by {found.error:.0%} or more: {UNSURE}"]
        return []

    def _level(self, sigma: float) -> str:
        """Return what happens to noise of that level."""
        if self.sigma is None:
            return ""
        low, high = self.sigma
        trained = f"sigma {low:.3g}" if high < 1.05 * low else f"sigma {low:.3g} to {high:.3g}"
        if low / NEAR <= sigma <= high * NEAR:
            return f"; the weights are for {trained}"
        if self.normalised and sigma < low:
            return f"; the weights saw {trained}"
        if self.normalised:
            return f"; the weights saw {trained} only: expect less"
        return f"; brought to the level of the weights, which were trained at {trained}: expect less"


UNSURE = "the frame is small, or texture and noise cannot be told apart. If noise is left, or detail goes, set --sigma"


class NoiseNotes:
    """Says what is found of the noise while frames are denoised: at the first, and where later ones differ.

    Parameters
    ----------
    purpose
        Of the weights.
    say
        Prints a line.
    """

    def __init__(self, purpose: Purpose, say: Callable[[str], None]) -> None:
        self.purpose, self.say = purpose, say
        self.sigmas: list[float] = []
        self.untouched = 0
        self.said: list[str] = []  # doubts at the first
        self.doubts: Counter[str] = Counter()
        self.errors: list[float] = []  # of levels that are not certain

    def __call__(self, noise: FrameNoise) -> None:
        """Take note of the noise of a frame."""
        doubts = self.purpose.doubts(noise)
        if not self.sigmas:
            self.said = doubts
            for line in self.purpose.compare(noise):
                self.say(line)
        unsure = [line for line in doubts if line.endswith(UNSURE)]
        if unsure and noise.measured is not None:
            self.errors.append(noise.measured.error)
        self.doubts.update(line for line in doubts if line not in unsure)
        self.sigmas.append(255 * noise.sigma)
        self.untouched += noise.nothing

    def summarise(self, frames: int) -> None:
        """Say how the frames differed, if they did, and if frames of an earlier run were not measured in this one."""
        if 0 < len(self.sigmas) < frames:
            self.say(f"noise: measured on {len(self.sigmas)} of {frames} frames; the others were finished earlier")
        if len(self.sigmas) > 1 and max(self.sigmas) > VARIED * min(self.sigmas):
            left = f"; left as they are: {self.untouched}" if self.untouched else ""
            self.say(f"noise of the frames: sigma {min(self.sigmas):.3g} to {max(self.sigmas):.3g}{left}")
        for line, count in self.doubts.items():
            if line not in self.said:
                self.say(f"in {count} of {len(self.sigmas)} frames: {line}")
        if self.errors and not (len(self.errors) == 1 and self.said):
            low, high = (f"{error:.0%}" for error in (min(self.errors), max(self.errors)))
            off = low if low == high else f"{low} to {high}"
            self.say(
                f"in {len(self.errors)} of {len(self.sigmas)} frames: the level may be off by {off} or more: {UNSURE}"
            )
