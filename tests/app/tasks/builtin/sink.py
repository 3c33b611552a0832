"""A progress sink that keeps what is put."""

from __future__ import annotations


class Sink:
    """Keeps each update as (text, value); can be closed."""

    def __init__(self):
        self.items = []
        self.closed = False

    def put(self, progress):
        """Keep it."""
        self.items.append((progress.text, progress.value))
