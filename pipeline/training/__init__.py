"""From stores to trained networks."""
