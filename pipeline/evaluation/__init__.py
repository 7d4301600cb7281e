"""Measuring: the benchmark's protocol, held-out frames, alignment, costs."""
