"""train_ian@ALIGNER: make one aligner ready, from noisy frames alone."""

from pathlib import Path
from typing import Annotated

from typer import Option


def train_ian(
    aligner: Annotated[str, Option(help="Key in train_ian.aligners.")],
    noisy: Annotated[Path, Option(help="Store of noisy frames.")],
    out: Annotated[Path, Option(help="Aligner to write (.safetensors); its curve lies beside it (.csv).")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Train an aligner, self-supervised; a classical one leaves a header only."""
    from torch import nn

    from pipeline import __version__
    from pipeline.alignment.loading import make_aligner, save_aligner
    from pipeline.params import load
    from pipeline.stores.frames import FrameStore
    from stages.fitting import fit_aligner, write_curve
    from stages.screen import say

    chosen = load(params)
    if aligner not in chosen.train_ian.aligners:
        raise ValueError(f"{params}: train_ian.aligners: found no {aligner!r}, expected one of it")
    mine = chosen.train_ian.aligners[aligner]
    store = FrameStore(noisy)
    channels = store.codes(store.scenes[0], 0, 1).shape[1]
    header = {
        "aligner": mine.kind,
        "arguments": mine.arguments,
        "channels": channels,
        "noisy": store.content if mine.training else None,
        "seed": chosen.seed,
        "training": mine.training.model_dump() if mine.training else None,
        "version": __version__,
    }
    curve: list[dict[str, float]] = []
    if mine.training is None:
        made = make_aligner(mine.kind, channels, mine.arguments)
        say(f"{out}: {mine.kind} has nothing to train; its settings are kept")
    else:
        made, curve = fit_aligner(aligner, mine, store, channels, chosen.seed, out)
        assert isinstance(made, nn.Module)
    write_curve(out.with_suffix(".csv"), curve)
    save_aligner(out, made, header)
    if curve:
        say(f"{out}: {mine.training.steps if mine.training else 0} steps, loss {curve[-1]['loss']:.5f}")
