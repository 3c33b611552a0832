"""What can go wrong while measuring."""

from __future__ import annotations

__all__ = ["BenchFailed"]


class BenchFailed(Exception):
    """A measurement could not be made; the message says why, for a person."""
