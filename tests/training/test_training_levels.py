"""Batches are brought to one level: all images of a crop alike."""

import pytest
import torch
from torch import Tensor

from self2align.networks.normalised import LEVEL
from self2align.objectives.recorrupted_neighbours import ADDED, exactness, recorrupt
from self2align.training.levels import bring_to_level


def _draw(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _batch(sigmas: Tensor, gain: Tensor) -> dict[str, Tensor]:
    clean = torch.linspace(0, 1, 64).expand(len(sigmas), 3, 64, 64)
    target = clean + sigmas[:, None, None, None] * _draw(len(sigmas), 3, 64, 64)
    return {
        "target": target,
        "warped": 0.5 * target[:, None].expand(-1, 2, -1, -1, -1) + 0.1,
        "transfer": torch.zeros(len(sigmas), 2, 64, 64),
        "gain": torch.full((len(sigmas),), 2.0),
        "offset": torch.full((len(sigmas),), -0.2),
        "noise_gain": gain,
        "noise_read": sigmas**2,
    }


def test_noise_gets_one_level_and_crops_keep_their_relations() -> None:
    sigmas = torch.tensor([0.02, 0.1, 0.3])
    found = bring_to_level(_batch(sigmas, torch.zeros(3)), 0.1)
    noise = _draw(3, 3, 64, 64) * LEVEL
    clean = found["target"] - noise
    assert clean.std((1, 2, 3)) / sigmas.reciprocal() == pytest.approx(LEVEL * 0.29, rel=0.05)
    assert float(found["target"].mean((1, 2, 3)).abs().max()) < 1e-5
    torch.testing.assert_close(found["level"], torch.full((3, 1, 1, 1), LEVEL))
    torch.testing.assert_close(found["weight"].flatten(), sigmas / 0.1)
    # target = gain * warped + offset, before and after.
    again = found["gain"].view(-1, 1, 1, 1, 1) * found["warped"] + found["offset"].view(-1, 1, 1, 1, 1)
    torch.testing.assert_close(again, found["target"][:, None].expand_as(again), atol=1e-4, rtol=1e-4)
    assert "noise_gain" not in found


def test_noise_by_brightness_gets_a_map_of_one_level_in_the_mean() -> None:
    found = bring_to_level(_batch(torch.tensor([0.01, 0.01]), torch.tensor([0.01, 0.0])), 0.1)
    level = found["level"]
    assert level.shape == (2, 3, 64, 64)
    torch.testing.assert_close(level.square().mean((1, 2, 3)).sqrt(), torch.full((2,), LEVEL))
    assert float(level[0, 0, 32, 60]) > 3 * float(level[0, 0, 32, 4])
    torch.testing.assert_close(level[1], torch.full((3, 64, 64), LEVEL))


def test_recorrupted_images_share_no_noise() -> None:
    sigma = torch.linspace(0.05, 0.2, 256).expand(4, 1, 256, 256)
    noise = sigma * _draw(4, 1, 256, 256)
    noisier, judge, level, variance = recorrupt(noise, sigma, torch.Generator().manual_seed(1))
    for one in range(4):
        pair = torch.stack([(noisier / level)[one].flatten(), (judge / sigma)[one].flatten()])
        assert abs(float(torch.corrcoef(pair)[0, 1])) < 0.02
        assert float(pair[0].std()) == pytest.approx(1, rel=0.02)
        assert float(pair[1].var()) == pytest.approx(float(variance[one]), rel=0.03)
    raised = (level / sigma).amax((1, 2, 3))
    assert bool(((raised >= (1 + ADDED[0] ** 2) ** 0.5 - 1e-4) & (raised <= (1 + ADDED[1] ** 2) ** 0.5 + 1e-4)).all())
    assert len(set(raised.tolist())) == 4


def test_neighbours_count_by_the_share_of_noise_in_their_error() -> None:
    weight, level = torch.ones(3, 2, 8, 8), torch.full((3, 1, 1, 1), 0.1)
    error = torch.tensor([0.005, 0.01, 0.04])[:, None, None, None].expand(3, 2, 8, 8)
    assert exactness(error, weight, level).flatten().tolist() == pytest.approx([1.0, 1.0, 0.25])
