"""Equation 7 of the paper, "Strategy Ours"."""

from self2align.samplers.sampler import Sampler, equation_7

SAMPLER = Sampler(equation_7)
