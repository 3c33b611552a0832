"""``burst``: a task that reports progress as fast as it is taken; what the bench runs."""

from __future__ import annotations

import time

from pydantic import BaseModel, ConfigDict, Field

from app.bench.clients.payload import progress_text
from app.tasks.base import BaseTask, TaskProgressHandle

__all__ = ["BurstParams", "BurstResult", "BurstTask"]


class BurstParams(BaseModel):
    """What can be asked of it.

    Args:
        events: how many progress events.
        pause: seconds between any two of its events, the first and the last included.
        result_bytes: how large its result is, and so its last event.
    """

    model_config = ConfigDict(extra="forbid")

    events: int = Field(default=1, ge=0, le=1_000_000)
    pause: float = Field(default=0.0, ge=0.0, le=60.0)
    result_bytes: int = Field(default=0, ge=0, le=250_000)


class BurstResult(BaseModel):
    """What it returns.

    Args:
        started_ns: the monotonic clock before its first event, nanoseconds.
        filling: as many bytes as were asked for.
    """

    started_ns: int
    filling: str


class BurstTask(BaseTask):
    """Sends progress that says when it was sent."""

    name = "burst"
    params_model = BurstParams

    def execute(  # type: ignore[override]  # the params by name
        self,
        progress_handle: TaskProgressHandle,
        *,
        events: int,
        pause: float,
        result_bytes: int,
    ) -> BurstResult:
        """Send the events."""
        started_ns = time.monotonic_ns()
        for _ in range(events):
            _wait(pause)
            progress_handle.send_progress(progress_text(time.monotonic_ns()), 0.5)
        _wait(pause)
        return BurstResult(started_ns=started_ns, filling="." * result_bytes)


def _wait(seconds: float) -> None:
    if seconds:
        time.sleep(seconds)
