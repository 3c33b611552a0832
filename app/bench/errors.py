"""The error of the bench."""

from __future__ import annotations

__all__ = ["BenchFailed"]


class BenchFailed(Exception):
    """A measurement failed; the message says why, for people."""
