"""No loss: a classical aligner has nothing to train (``loss: none``)."""
