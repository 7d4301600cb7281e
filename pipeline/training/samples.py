"""A picture of noisy crops and what a network makes of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from self2align.images.files import write_png
from self2align.networks.network import multiple_of
from self2align.networks.normalised import denoise_crops, noise_level
from self2align.stores.pairs import PairStore

SHOWN = 6


class SamplePicture:
    """Writes a picture of six noisy crops (above) and their denoised versions (below).

    Parameters
    ----------
    pairs
        Store whose validation crops are shown; its training crops if it has no others.
    path
        PNG file to write.
    """

    def __init__(self, pairs: Path, path: Path) -> None:
        store = PairStore(pairs)
        rows = store.rows("validation") if len(store.rows("validation")) else store.rows("pairs")
        shown = rows[np.linspace(0, len(rows) - 1, SHOWN).round().astype(int)]
        self.noisy: Sequence[NDArray[np.float32]] = [store.values("target", int(row), int(row) + 1)[0] for row in shown]
        self.line = [torch.from_numpy(store.columns[f"noise_{name}"][shown]) for name in ("gain", "read")]
        self.path = path

    @torch.inference_mode()
    def __call__(self, network: nn.Module) -> None:
        """Denoise the crops and write the picture."""
        training = network.training
        network.eval()
        batch = torch.from_numpy(np.stack(self.noisy))
        multiple = multiple_of(network)
        height, width = (side // multiple * multiple for side in batch.shape[-2:])
        batch = batch[..., :height, :width]
        where = next(network.parameters()).device
        level = noise_level(batch, *self.line)
        denoised = denoise_crops(network, batch.to(where), level.to(where)).float().cpu()
        network.train(training)
        rows = [torch.cat(list(images), dim=2) for images in (batch, denoised)]
        picture = torch.cat(rows, dim=1).clamp(0, 1).mul(255).round().to(torch.uint8)
        write_png(self.path, picture.expand(3, -1, -1).permute(1, 2, 0).numpy())
