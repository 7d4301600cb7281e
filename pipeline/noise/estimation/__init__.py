"""Estimating the noise of footage from noisy frames alone."""
