"""What a learned aligner is trained by: ``(network, batch, generator) -> scalar``."""
