"""Measuring the noise of footage between its aligned frames."""
