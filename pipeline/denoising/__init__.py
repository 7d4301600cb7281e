"""Trained networks at work: whole frames, tiles, several frames at a time."""
