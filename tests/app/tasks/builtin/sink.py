"""A progress sink that keeps what is put."""

from __future__ import annotations

from app.schemas.task_schema import TaskProgress


class Sink:
    """A sink that keeps each update as (text, value), and can be closed."""

    def __init__(self) -> None:
        self.items: list[tuple[str, float]] = []
        self.closed = False

    def put(self, progress: TaskProgress) -> None:
        """Keep the update."""
        self.items.append((progress.text, progress.value))
