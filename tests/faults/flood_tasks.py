"""Tasks that do too much of something: what one task causes must stay bounded."""

from __future__ import annotations

import time

import gevent
from pydantic import BaseModel

from app.services.base_task import BaseTask, TaskProgressHandle


class Done(BaseModel):
    """Say nothing."""


class Large(BaseModel):
    """Hold a text."""

    text: str


class ReportingTask(BaseTask):
    """Report progress without pause, as a greenlet."""

    def execute(self, progress_handle: TaskProgressHandle, *, seconds: float = 1.0) -> Done:  # type: ignore[override]
        """Report for so many seconds."""
        end = time.monotonic() + seconds
        count = 0
        while time.monotonic() < end:
            count += 1
            progress_handle.send_progress(f"report {count}", 0.5)
        return Done()


class NativeReportingTask(ReportingTask):
    """Do the same on a native thread."""

    cpu_bound = True


class LargeTask(BaseTask):
    """Return a large result."""

    def execute(self, progress_handle: TaskProgressHandle, *, size: int = 1000) -> Large:  # type: ignore[override]
        """Return so many characters."""
        return Large(text="x" * size)


class QuickTask(BaseTask):
    """Return at once."""

    def execute(self, progress_handle: TaskProgressHandle, *, filling: str = "") -> Done:  # type: ignore[override]
        """Return."""
        return Done()


class WaitingTask(BaseTask):
    """Wait, without work."""

    def execute(
        self, progress_handle: TaskProgressHandle, *, seconds: float = 60.0, filling: str = ""
    ) -> Done:  # type: ignore[override]
        """Wait for so many seconds."""
        gevent.sleep(seconds)
        return Done()
