"""Aligned noisy pairs: planning, making and scoring them."""
