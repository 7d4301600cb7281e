"""train_denoiser: a denoiser from the pair store alone."""

from pathlib import Path
from typing import Annotated

from typer import Option


def train_denoiser(
    pairs: Annotated[Path, Option(help="Store of pairs.")],
    out: Annotated[Path, Option(help="Denoiser to write (.safetensors); curve, figures and samples beside it.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Train the chosen network under the chosen objective and sampling strategy."""
    from dataclasses import replace

    import numpy as np

    from pipeline.families import load as load_member
    from pipeline.objectives import OBJECTIVES
    from pipeline.pairs import MAPS
    from pipeline.pairs.samplers import keep_probabilities, sampled_by_map
    from pipeline.params import load
    from pipeline.scratch import workspace, write_json
    from pipeline.stores.pairs import PairStore
    from stages.denoising import fit_denoiser, save_samples, show
    from stages.fitting import hold_pairs
    from stages.summaries import spread

    chosen = load(params)
    sampler, mine = chosen.sampler, chosen.train_denoiser
    objective = load_member(OBJECTIVES, mine.objective, "train_denoiser.objective")
    store = PairStore(pairs)
    columns = {name: store.columns[name] for name in ("gain", "offset")}
    if sampler.strategy in MAPS:
        needs = tuple(dict.fromkeys((*objective.needs, "confidence")))
        objective = replace(objective, loss=sampled_by_map(objective.loss, sampler.strategy), needs=needs)
    else:
        columns["keep"] = keep_probabilities(sampler.strategy, store.columns[sampler.score], sampler.probability)
    inputs = {"pairs": store.content}
    work = {**inputs, "params": mine.model_dump(), "sampler": sampler.model_dump(), "seed": chosen.seed}
    with workspace("train_denoiser", work) as scratch:
        held = hold_pairs(store, objective.needs, scratch)
        rows = store.rows("validation") if len(store.rows("validation")) else store.rows("pairs")
        shown = rows[np.linspace(0, len(rows) - 1, 6).round().astype(int)]
        noisy = [store.values("target", int(row), int(row) + 1)[0] for row in shown]
        _, figures = fit_denoiser(
            "train_denoiser",
            mine.objective,
            objective,
            chosen,
            held=held,
            codings={name: store.coding(name) for name in held},
            columns=columns,
            roles=store.columns["role"],
            channels=store.channels,
            margin=store.margin,
            inputs=inputs,
            told={"sampler": sampler.model_dump()},
            scratch=scratch,
            out=out,
            # Anew after each validation: one sees it learn.
            look=lambda network: save_samples(network, noisy, out.with_name("samples.png")),
        )
        if "keep" in columns:
            figures["keep_probability"] = spread(columns["keep"][store.rows("pairs")])
        write_json(out.with_name("metrics.json"), figures)
    show(out, figures)
