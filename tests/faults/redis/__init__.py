"""Redis, and the way to it, fail."""
