"""A task with a result of 3 MB, for tests of clients that do not read it."""

from __future__ import annotations

from pydantic import BaseModel

from app.services.base_task import BaseTask, TaskProgressHandle


class Large(BaseModel):
    """The result."""

    text: str


class BigTask(BaseTask):
    """Returns at once."""

    def execute(self, progress_handle: TaskProgressHandle) -> Large:
        """Return 3 MB."""
        return Large(text="x" * 3_000_000)
