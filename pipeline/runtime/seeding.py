"""Random generators derived from (seed, stage, scene, frame, ...), independent of the order of work."""

import hashlib
import json

import numpy as np
import torch


def derived_seed(seed: int, *keys: str | int) -> int:
    """Return a 128-bit integer that depends only on the seed and the keys."""
    text = json.dumps([seed, *keys], separators=(",", ":"), ensure_ascii=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def generator(seed: int, *keys: str | int) -> np.random.Generator:
    """Return a NumPy generator for the seed and these keys."""
    return np.random.default_rng(np.random.SeedSequence(derived_seed(seed, *keys)))


def torch_generator(seed: int, *keys: str | int) -> torch.Generator:
    """Return a torch CPU generator for the seed and these keys."""
    return torch.Generator().manual_seed(derived_seed(seed, *keys) >> 65)
