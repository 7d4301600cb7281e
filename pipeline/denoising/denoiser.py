"""The denoiser for arrays: one frame or many, of any type that files have."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, DTypeLike, NDArray

from self2align.denoising.frames import Trust, choose_denoise
from self2align.denoising.levels import Sigma
from self2align.denoising.scale import fitted, sampled
from self2align.denoising.strength import Strength
from self2align.denoising.tiled import TiledDenoiser, fits_channels
from self2align.noise.pattern import FixedPattern
from self2align.runtime.devices import device as default_device
from self2align.runtime.progress import Progress
from self2align.sources.pattern import load_pattern
from self2align.stores.codes import Coding, choose_coding, trained_white
from self2align.stores.weights import BUNDLE, load_header

FLOATS = ("float16", "float32", "float64")
MEMORY = 2048  # MiB
NARROW = 8  # px; a shorter last axis of three is hardly a side of an image, but channels such as RGBA


class Denoiser:
    """A trained denoiser.

    >>> denoiser = Denoiser.load("data/train_denoiser/denoiser.safetensors")  # doctest: +SKIP
    >>> clean = denoiser(frames)  # doctest: +SKIP

    Parameters
    ----------
    denoiser
        Denoises one frame.
    aligner
        Weights of an aligner, or a bundle that holds one; needed for ``temporal``.
    """

    def __init__(self, denoiser: TiledDenoiser, *, aligner: Path | None = None) -> None:
        self._denoiser, self._aligner = denoiser, aligner

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        aligner: str | Path | None = None,
        device: str | torch.device | None = None,
        memory: int | None = None,
    ) -> "Denoiser":
        """Load a denoiser.

        Parameters
        ----------
        path
            Weights of a denoiser, or a bundle of denoiser and aligner (.safetensors).
        aligner
            Weights of an aligner, for ``temporal``; default: that of the bundle.
        device
            "cpu" or "cuda"; default: ``$SELF2ALIGN_DEVICE``, else CUDA if present, else the CPU.
        memory
            MiB that the network may use; default: ``$SELF2ALIGN_MEMORY``, else 2048. Larger frames are denoised in
            tiles, without a visible seam.

        Raises
        ------
        ValueError
            If the file is missing, broken, or holds no denoiser, or the memory is no positive number.
        """
        path = Path(path)
        where = default_device() if device is None else torch.device(device)
        made = TiledDenoiser.load(path, device=where, memory=_memory(memory) * 2**20)
        bundle = path if load_header(path).get("kind") == BUNDLE else None
        return cls(made, aligner=bundle if aligner is None else Path(aligner))

    @property
    def channels(self) -> int:
        """Channels of the frames that the network was trained on: 1 for gray, 3 for RGB."""
        return self._denoiser.channels

    def __call__(
        self,
        frames: ArrayLike,
        *,
        axes: str | None = None,
        white: float | None = None,
        sigma: float | ArrayLike | None = None,
        temporal: int = 0,
        one_pass: bool = False,
        unclip: bool = True,
        strength: float = 1.0,
        luma: float | None = None,
        chroma: float | None = None,
        dtype: DTypeLike | None = None,
        fixed_pattern: str | Path | ArrayLike | None = None,
        trust: Trust | None = None,
        colours: bool | None = None,
        progress: Progress | None = None,
    ) -> NDArray[Any]:
        """Denoise one frame or many.

        Parameters
        ----------
        frames
            An array of integers or floats. Its axes are, without ``axes``:

            - two: ``(H, W)``;
            - three: ``(C, H, W)`` or ``(H, W, C)`` if that axis has 1 or 3 values (or as many as the network has
              channels), else ``(T, H, W)`` if H and W are at least 8;
            - four: ``(T, C, H, W)`` or ``(T, H, W, C)``, likewise.

            A network of one channel denoises each channel separately. A network of RGB sees a gray frame three times,
            and the mean of its result is used.
        axes
            One letter for each axis: T (time), C (channels), Y (rows), X (columns). Needed where the rule above fits
            twice or not at all.
        white
            The value that stands for 1.0, for ``unclip``: networks follow any scale and offset.
            Default: that of the training footage for this type, if the weights say so, else 255 for uint8, 65535 for
            uint16, 1 for floats, or the range of the values if they are far from that.
        sigma
            Standard deviation of the noise, in the unit of the values: one value, or a map ``(Y, X)`` or ``(C, Y, X)``
            for noise that is uneven, as behind a correction of vignetting. Default: it is measured on each frame.
            Frames without noise to speak of are returned as they are; so are values that are NaN or infinite, and
            single pixels far off all around them, which leave no trace in their neighbours.
        temporal
            Aligned neighbours each way that help each frame; 0 for none. Needs the axis T and an aligner.
        one_pass
            With ``temporal``: the mean with the neighbours is denoised in one pass of the network, which is faster.
        unclip
            Whether the mean is corrected where noise was clipped at black or white, if the weights say so.
        strength
            Share of the noise that is taken off, in [0, 1]: s leaves 1 - s of its standard deviation, and s of the
            denoiser's error. 0 returns the frames.
        luma, chroma
            The same for luma and for chroma (BT.709) of RGB; default: ``strength``. Gray is luma alone.
        dtype
            Type of the result: a float type keeps what rounding to integers would lose, as of counts of few photons.
            Default: that of the frames.
        fixed_pattern
            Taken off every frame first: a file (of `self2align pattern`, or a dark frame), or an array ``(Y, X)`` or
            ``(C, Y, X)`` in the unit of the values. The median of each channel stays.
        trust
            With ``temporal``: called before each frame with the share of its noise's variance that averaging it with
            its neighbours takes off, ``(H, W)``, float32: 0 where none is trusted, at most 1 - 1 / (2 temporal + 1).
        colours
            Whether three channels are red, green and blue of a picture, from which weights of camera footage also take
            false colour off. Default: those of uint8 are, as those of weights that do so were.
        progress
            Called with frames done and all frames.

        Returns
        -------
        ndarray
            A new array of the same shape, and but for ``dtype`` of the same type. Integers are rounded and limited to
            the range of their type; floats are not clipped.

        Raises
        ------
        ValueError
            If the axes are ambiguous, the network or the fixed pattern does not fit the frames, sigma is not
            positive, a strength is not in [0, 1] or does not fit the channels, ``temporal`` is negative or has no
            aligner, or ``trust`` is there without it.
        """
        array, told = np.asarray(frames), Strength.told(strength, luma, chroma)
        coding = choose_coding("frames", array.dtype, white, self._denoiser.whites)
        kind = array.dtype if dtype is None else np.dtype(dtype)
        if kind != array.dtype and kind.name not in FLOATS:
            raise ValueError(f"dtype: found {kind}, expected {', '.join(FLOATS)}, or that of the frames")
        letters = resolve_axes(array.shape, self.channels, axes)
        if temporal < 0:
            raise ValueError(f"temporal: found {temporal}, expected 0 or more neighbours each way")
        if temporal and "T" not in letters:
            raise ValueError(f"temporal: found a single frame (axes {letters}), expected an axis T")
        order = [letters.index(letter) for letter in "TCYX" if letter in letters]
        stack = array.transpose(order)
        stack = stack if "T" in letters else stack[None]
        stack = stack if "C" in letters else stack[:, None]
        if not fits_channels(stack.shape[1], self.channels):
            raise ValueError(f"frames: found {stack.shape[1]} channels, expected {self.channels}, as in training")
        told.check("frames", stack.shape[1])
        denoise = told.over(
            choose_denoise(
                self._denoiser, radius=temporal, aligner=self._aligner, unclip=unclip, trust=trust, one_pass=one_pass
            )
        )
        known = white is not None or trained_white(array.dtype, self._denoiser.whites) is not None
        if not known and array.dtype != np.uint8:
            coding = fitted(coding, [stack[at] for at in sampled(len(stack))])
        level = None if sigma is None else _told(sigma, stack.shape[1:], coding.scale)
        fixed = None if fixed_pattern is None else _pattern(fixed_pattern, stack.shape[1:])
        result = np.empty(stack.shape, kind.newbyteorder("="))
        seen_as = array.dtype == np.uint8 if colours is None else colours
        for number, clean in enumerate(denoise(_values(stack, coding, fixed), None, level, seen_as)):
            result[number] = coding.encode_changes(clean, stack[number], kind.name)
            if progress is not None:
                progress(number + 1, len(stack))
        if "C" not in letters:
            result = result[:, 0]
        if "T" not in letters:
            result = result[0]
        return np.ascontiguousarray(result.transpose(np.argsort(order))).astype(kind, copy=False)


def _told(sigma: float | ArrayLike, shape: tuple[int, ...], scale: float) -> Sigma:
    """Return the level of noise that was told, white being 1.0, for frames ``(C, H, W)``."""
    values = np.asarray(sigma, np.float32)
    if values.shape not in ((), shape[1:], shape):
        raise ValueError(f"sigma: found shape {values.shape}, expected one value, {shape[1:]} or {shape}")
    if not (np.isfinite(values) & (values >= 0)).all() or not values.any():
        raise ValueError(f"sigma: found {values.min():g} at the least, expected more than 0")
    return values * np.float32(scale) if values.ndim else float(values) * scale


def _memory(memory: int | None) -> int:
    """Return the memory limit, MiB."""
    if memory is None:
        text = os.environ.get("SELF2ALIGN_MEMORY") or str(MEMORY)
        if not text.isdigit():
            raise ValueError(f"SELF2ALIGN_MEMORY: found {text!r}, expected a number of MiB")
        memory = int(text)
    if memory < 1:
        raise ValueError(f"memory: found {memory} MiB, expected at least 1")
    return memory


def _pattern(told: str | Path | ArrayLike, shape: tuple[int, ...]) -> FixedPattern:
    """Return what is taken off frames ``(C, H, W)``."""
    found = load_pattern(Path(told)) if isinstance(told, str | Path) else FixedPattern.of(np.asarray(told))
    found.check("frames", *shape)
    return found


def _values(stack: NDArray[Any], coding: Coding, pattern: FixedPattern | None = None) -> Iterator[NDArray[np.float32]]:
    """Yield frames ``(C, H, W)`` as values, white being 1.0, less a fixed pattern."""
    for frame in stack:
        values = coding.decode(frame)
        yield values if pattern is None else pattern.off(values, coding)


def resolve_axes(shape: tuple[int, ...], channels: int, axes: str | None = None) -> str:
    """Return a letter of "TCYX" for each axis of an array; see `Denoiser`.

    Parameters
    ----------
    shape
        Of the array.
    channels
        Of the network.
    axes
        The letters, if they are known.

    Raises
    ------
    ValueError
        If the letters do not fit the shape, or none are given and the shape is ambiguous.
    """
    if 0 in shape:
        raise ValueError(f"frames: found an array of shape {shape}, expected values")
    if axes is not None:
        letters = axes.upper()
        if (
            len(letters) != len(shape)
            or len(set(letters)) != len(letters)
            or not {"Y", "X"} <= set(letters) <= set("TCYX")
        ):
            raise ValueError(
                f"axes: found {axes!r} for an array of shape {shape}, expected one letter of T, C, Y, X for each axis, "
                "with Y and X"
            )
        return letters
    colors = {1, 3, channels}
    choices = {2: ["YX"], 3: ["CYX", "YXC"], 4: ["TCYX", "TYXC"]}.get(len(shape), [])
    fitting = [one for one in choices if "C" not in one or shape[one.index("C")] in colors]
    if len(shape) == 3 and not fitting and min(shape[1:]) >= NARROW:
        fitting = ["TYX"]
    if len(fitting) != 1:
        found = " or ".join(fitting) or "axes that no rule fits"
        raise ValueError(f"frames: found an array of shape {shape}, {found}; expected axes= to say which, as 'TCYX'")
    return fitting[0]
