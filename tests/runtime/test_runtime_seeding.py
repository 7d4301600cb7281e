import numpy as np
import torch

from self2align.runtime.seeding import derived_seed, generator, torch_generator


def test_the_same_place_gives_the_same_draw_and_another_place_another() -> None:
    one = generator(3, "synthesize", "clips/bikes", 5).standard_normal(4)
    again = generator(3, "synthesize", "clips/bikes", 5).standard_normal(4)
    np.testing.assert_array_equal(one, again)
    for other in (
        (4, "synthesize", "clips/bikes", 5),
        (3, "synthesize", "clips/bikes", 6),
        (3, "x", "clips/bikes", 5),
    ):
        assert not np.array_equal(one, generator(*other).standard_normal(4))


def test_keys_do_not_run_together() -> None:
    assert derived_seed(0, "a", "bc") != derived_seed(0, "ab", "c")
    assert derived_seed(0, 1, 23) != derived_seed(0, 12, 3)


def test_torch_generators_repeat() -> None:
    assert torch.equal(
        torch.rand(3, generator=torch_generator(1, "m", 2)),
        torch.rand(3, generator=torch_generator(1, "m", 2)),
    )
