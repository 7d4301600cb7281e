"""Image files at their own depth, and the colours and levels in between."""
