"""generate_pairs: align noisy neighbours and store scored pairs of crops."""

from functools import partial
from pathlib import Path
from typing import Annotated

from typer import Option

SHOWN = 4  # pairs, as pictures


def generate_pairs(
    noisy: Annotated[Path, Option(help="Store of noisy frames.")],
    aligner: Annotated[Path, Option(help="Aligner (.safetensors).")],
    out: Annotated[Path, Option(help="Store of pairs to write.")],
    params: Annotated[Path, Option(help="Parameter file.")] = Path("params.yaml"),
) -> None:
    """Make aligned pairs: transfer field, warped frame, confidence and SSIM scores."""
    from self2align.alignment.exposure import LIMITS
    from self2align.noise.synthesis import unclipped
    from self2align.pairs.making import fill_pairs, plan_pairs, usable_scenes
    from self2align.pairs.scores import histogram
    from self2align.params.loading import load
    from self2align.report.gallery import write_gallery
    from self2align.runtime.scratch import file_digest, move_into_place, workspace, write_json
    from self2align.runtime.tables import pair_summary, write_rows
    from self2align.stages.screen import bar, say
    from self2align.stores.frames import FrameStore
    from self2align.stores.pairs import table, write_pairs

    chosen = load(params)
    mine, noise = chosen.generate_pairs, chosen.synthesize
    store = FrameStore(noisy)
    scenes, skipped = usable_scenes(store, mine.crop)
    rows = plan_pairs(
        scenes,
        offsets=mine.offsets,
        targets=mine.targets_per_scene,
        crops=mine.crops_per_target,
        size=mine.crop,
        seed=chosen.seed,
    )
    held = store.coding(scenes[0])
    warped = unclipped(noise.model, noise.levels[1], noise.peak, stretch=max(LIMITS))
    channels = store.channels(scenes[0])
    layout = table(len(rows), mine.crop, mine.margin, channels, held, warped, mine.crops_per_target)
    how = (mine.crop, mine.margin, mine.exposure, mine.kernel, warped)
    fill = partial(fill_pairs, noisy, aligner, scenes, rows, *how)
    inputs = {
        "params": mine.model_dump(),
        "seed": chosen.seed,
        "noisy": store.content,
        "aligner": file_digest(aligner),
    }
    attributes = {
        "generate_pairs": mine.model_dump(),
        "noise": store.attributes["noise"],
        "scenes": [scene.title for scene in scenes],
        "seed": chosen.seed,
        "skipped": skipped,
    }
    with workspace("generate_pairs", inputs) as scratch, bar("aligning pairs") as progress:
        columns = write_pairs(out, layout, fill, attributes, scratch, progress)
        write_gallery(out, scratch / "pictures", SHOWN)
        move_into_place(scratch / "pictures", out.with_name("pictures"))
    write_json(out.with_name("metrics.json"), pair_summary(columns, len(skipped)))
    spread = histogram(*(columns[name][columns["role"] == 0] for name in ("ssim", "ssim_filtered")))
    write_rows(out.with_name("scores.csv"), ("from", "to", "ssim", "ssim_filtered"), spread)
    for item in skipped:
        say(f"left out {item['scene']}: {item['why']}")
    say(f"{out}: {len(rows)} pairs of {len(scenes)} scenes; look at them: self2align inspect {out}")
