"""Losses that aligners are trained with: ``(network, batch, generator) -> scalar``."""
