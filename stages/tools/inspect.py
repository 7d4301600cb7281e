"""inspect PATH: look into a store of frames or pairs, or into trained weights."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

if TYPE_CHECKING:
    from rich.console import JustifyMethod

    from self2align.report.contents import Block, Listing


def inspect(
    path: Annotated[Path, Argument(help="Store of frames or pairs (.zarr), or weights (.safetensors).")],
    sheet: Annotated[
        Path | None, Option(help="Contact sheet to write (.png); default: the store's name, in this folder.")
    ] = None,
    pairs: Annotated[int, Option(min=1, max=64, help="Pairs, or scenes of frames, on the sheet.")] = 8,
    check: Annotated[bool, Option(help="Compare the store with its own digest first (reads all of it).")] = True,
) -> None:
    """Show what a store or a weights file holds, and write a contact sheet."""
    if sheet is not None and sheet.suffix != ".png":
        raise ValueError(f"--sheet: found {sheet}, expected a name that ends in .png")
    if not path.exists():
        raise ValueError(f"{path}: found nothing there, expected a store (.zarr) or weights (.safetensors)")
    if path.suffix == ".safetensors":
        from self2align.report.contents import describe_weights

        _show(describe_weights(path))
        return
    from self2align.report.canvas import png_bytes
    from self2align.report.contents import describe_arrays, describe_frames, describe_pairs
    from self2align.report.sheets import sheet_of_frames, sheet_of_pairs
    from self2align.runtime.scratch import write_atomically
    from self2align.stages.screen import say
    from self2align.stores import pairs as pair_stores
    from self2align.stores.build import verify
    from self2align.stores.contents import store_kind
    from self2align.stores.frames import FrameStore

    kind = store_kind(path)
    if check:
        verify(path)
    _show(describe_arrays(path, kind))
    if kind == pair_stores.KIND:
        store = pair_stores.PairStore(path, check=False)
        _show(describe_pairs(store))
        picture = sheet_of_pairs(store, pairs) if store.count else None
    else:
        frames = FrameStore(path, check=False)
        _show(describe_frames(frames))
        picture = sheet_of_frames(frames, pairs) if frames.scenes else None
    if picture is None:
        say(f"{path}: the store is empty; no contact sheet")
        return
    out = Path(f"{path.resolve().stem}.png") if sheet is None else sheet
    write_atomically(out, png_bytes(picture))
    say(f"contact sheet: {out}")


def _show(blocks: "Iterable[Block]") -> None:
    from self2align.stages.screen import say, table

    for block in blocks:
        if isinstance(block, str):
            say(block)
        elif block.compact:
            _show_compact(block)
        else:
            table(block.title, block.header, block.rows)


def _show_compact(listing: "Listing") -> None:
    """Show a table without rules, in 80 columns; only a long shape is folded."""
    from rich.markup import escape
    from rich.table import Table

    from self2align.stages.screen import console

    shown = Table(header_style="bold", box=None, padding=(0, 2 if console.width > 90 else 1, 0, 0))
    for name in listing.header:
        justify: JustifyMethod = "right" if name in ("stored", "raw", "ratio") else "left"
        shown.add_column(name, justify=justify, no_wrap=name != "shape", overflow="fold")
    for row in listing.rows:
        shown.add_row(*(escape(str(cell)) for cell in row))
    console.print(shown, soft_wrap=False)
