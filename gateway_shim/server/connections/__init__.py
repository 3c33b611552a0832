"""Accepts, counts, and closes the connections that are not streams."""
