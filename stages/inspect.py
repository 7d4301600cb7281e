"""inspect PATH: look into a store of frames or pairs, or into trained weights."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option


def inspect(
    path: Annotated[Path, Argument(help="Store of frames or pairs (.zarr), or weights (.safetensors).")],
    sheet: Annotated[
        Path | None, Option(help="Contact sheet to write (.png); default: the store's name, in this folder.")
    ] = None,
    pairs: Annotated[int, Option(min=1, max=64, help="Pairs, or scenes of frames, on the sheet.")] = 8,
    check: Annotated[bool, Option(help="Compare the store with its own digest first (reads all of it).")] = True,
) -> None:
    """Show what a store or a file of weights holds, and write a contact sheet."""
    if sheet is not None and sheet.suffix != ".png":
        raise ValueError(f"--sheet: found {sheet}, expected a name that ends in .png")
    if path.suffix == ".safetensors":
        from stages.contents import show_weights

        show_weights(path)
        return
    from pipeline.report.canvas import Picture, png_bytes
    from pipeline.scratch import write_atomically
    from pipeline.stores import pairs as pair_stores
    from pipeline.stores.build import verify
    from pipeline.stores.contents import store_kind
    from pipeline.stores.frames import FrameStore
    from pipeline.stores.pairs import PairStore
    from stages.contents import show_arrays, show_frames, show_pairs
    from stages.screen import say
    from stages.sheets import sheet_of_frames, sheet_of_pairs

    kind = store_kind(path)
    if check:
        verify(path)
    show_arrays(path, kind)
    picture: Picture | None
    if kind == pair_stores.KIND:
        store = PairStore(path)
        show_pairs(store)
        picture = sheet_of_pairs(store, pairs) if store.count else None
    else:
        frames = FrameStore(path)
        show_frames(frames)
        picture = sheet_of_frames(frames, pairs) if frames.scenes else None
    if picture is None:
        say(f"{path}: nothing in it, so no contact sheet")
        return
    out = Path(f"{path.resolve().stem}.png") if sheet is None else sheet
    write_atomically(out, png_bytes(picture))
    say(f"contact sheet: {out}")
