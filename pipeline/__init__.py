"""Self2Align's library: every room works on arrays in memory and knows nothing of DVC or Typer."""

__version__ = "0.1.0"
