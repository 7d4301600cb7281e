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
        from self2align.report.contents import show_weights

        show_weights(path)
        return
    from self2align.report.canvas import Picture, png_bytes
    from self2align.report.contents import show_arrays, show_frames, show_pairs
    from self2align.report.sheets import sheet_of_frames, sheet_of_pairs
    from self2align.runtime.scratch import write_atomically
    from self2align.stages.screen import say
    from self2align.stores import pairs as pair_stores
    from self2align.stores.build import verify
    from self2align.stores.contents import store_kind
    from self2align.stores.frames import FrameStore
    from self2align.stores.pairs import PairStore

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
