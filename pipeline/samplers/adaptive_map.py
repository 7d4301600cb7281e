"""Equation 7 of the paper for each pixel, with its confidence in place of the score of the pair."""

from self2align.samplers.sampler import Sampler, equation_7

SAMPLER = Sampler(equation_7, "map")
