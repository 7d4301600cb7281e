"""Equation 7 of the paper for each pixel, with its confidence in place of the score of the pair."""

from self2align.samplers.adaptive import adaptive
from self2align.samplers.sampler import Sampler

SAMPLER = Sampler(adaptive, "map")
