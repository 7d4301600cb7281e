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
    from self2align import __version__
    from self2align.alignment import ALIGNERS
    from self2align.alignment.loading import make_aligner, save_aligner
    from self2align.params.schema import load
    from self2align.runtime.families import load as load_member
    from self2align.runtime.provenance import source_digest
    from self2align.stages.screen import say
    from self2align.stores.frames import FrameStore
    from self2align.training.fitting import fit_aligner, write_curve

    chosen = load(params)
    if aligner not in chosen.train_ian.aligners:
        raise ValueError(f"{params}: train_ian.aligners: found no {aligner!r}, expected one of it")
    mine = chosen.train_ian.aligners[aligner]
    store = FrameStore(noisy)
    channels = store.codes(store.scenes[0], 0, 1).shape[1]
    header = {
        "aligner": mine.kind,
        "aligner_code": source_digest(load_member(ALIGNERS, mine.kind, "kind")),
        "arguments": mine.arguments,
        "channels": channels,
        "loss": mine.loss,
        "noisy": store.content if mine.training else None,
        "seed": chosen.seed,
        "training": mine.training.model_dump() if mine.training else None,
        "version": __version__,
    }
    if mine.training is None:
        write_curve(out.with_suffix(".csv"), [])
        save_aligner(out, make_aligner(mine.kind, channels, mine.arguments), header)
        say(f"{out}: {mine.kind} has nothing to train; its settings are kept")
        return
    curve = fit_aligner(aligner, mine, store, channels, chosen.seed, header, out)
    say(f"{out}: {mine.training.steps} steps, loss {curve[-1]['loss']:.5f}")
