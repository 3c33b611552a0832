"""Tasks that the live tests offer to a backend."""
