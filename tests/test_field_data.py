"""The field's own data sets, where they lie beside the project; skipped elsewhere."""

from pathlib import Path

import numpy as np
import torch

from self2align.alignment.dis import Dis
from self2align.evaluation.alignment_measures import aligned_psnr, warped_noise
from self2align.images.files import read_image
from self2align.sources.folder import Folder
from self2align.sources.images import Images
from self2align.sources.source import Selection


def test_davis_is_read_as_it_comes(shared: Path) -> None:
    source = Folder(shared / "DAVIS", Selection(glob=("c*",), exclude=("cows",), max_frames=2))
    assert source.units() == ["camel", "car-roundabout", "car-shadow"]
    (scene,) = source.read("camel")
    assert (scene.name, scene.frames.shape, scene.white) == ("camel", (2, 3, 480, 854), 255)


def test_vimeo_is_read_as_it_comes(shared: Path) -> None:
    source = Folder(shared / "vimeo_septuplet", Selection(glob=("00001/*",)))
    assert source.units() == [f"00001/000{n}" for n in range(1, 9)]
    (scene,) = source.read("00001/0001")
    assert scene.frames.shape == (7, 3, 256, 448)


def test_the_test_sets_have_their_published_counts(shared: Path) -> None:
    for folder, count in (("Kodak", 24), ("BSD300/test", 100), ("Set14", 12)):
        assert len(Images(shared / folder, Selection()).units()) == count


def test_dis_aligns_davis_under_noise_without_following_it(shared: Path) -> None:
    gains = []
    for name in ("camel", "dog", "goat"):
        folder = shared / "DAVIS" / "JPEGImages" / "480p" / name
        clean = [torch.from_numpy(read_image(folder / f"{n:05d}.jpg")[0] / np.float32(255))[None] for n in (10, 11)]
        draw = torch.Generator().manual_seed(0)
        noisy = [frame + 25 / 255 * torch.randn(frame.shape, generator=draw) for frame in clean]
        field = Dis(3)(noisy[0], noisy[1])
        target, source = clean
        unaligned = aligned_psnr(target, source, torch.zeros_like(field))
        gains.append(aligned_psnr(target, source, field) - unaligned)
        ratio, correlation = warped_noise(noisy[0] - clean[0], noisy[1] - clean[1], field)
        assert 0.6 < ratio < 0.75
        assert abs(correlation) < 0.01
    assert min(gains) > 3
