"""Video files as footage: which stream, which frames, and the colours in their planes."""
