"""The gateway on a port of its own."""
