"""Whether torchrun started this process as one of several: read from the environment, without torch."""

import os


def processes() -> int:
    """Return how many processes train together; 1 without torchrun, whatever ``$WORLD_SIZE`` says."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def rank() -> int:
    """Return the number of this process, from 0."""
    return int(os.environ["RANK"]) if processes() > 1 else 0


def is_first() -> bool:
    """Return whether this process is the one that writes files and tells how it goes."""
    return rank() == 0
