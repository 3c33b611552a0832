"""The task ``burst``, which reports progress as fast as possible. The bench runs it."""

from __future__ import annotations

import time

from pydantic import BaseModel, ConfigDict, Field

from app.bench.clients.payload import progress_text
from app.tasks.base import BaseTask, TaskProgressHandle

__all__ = ["BurstParams", "BurstResult", "BurstTask"]


class BurstParams(BaseModel):
    """The params of ``burst``.

    Args:
        events: the number of progress events.
        pause: the pause between two events of the task, the first and the last included, seconds.
        result_bytes: the size of the result, and so of the last event, bytes.
    """

    model_config = ConfigDict(extra="forbid")

    events: int = Field(default=1, ge=0, le=1_000_000)
    pause: float = Field(default=0.0, ge=0.0, le=60.0)
    result_bytes: int = Field(default=0, ge=0, le=250_000)


class BurstResult(BaseModel):
    """The result of ``burst``.

    Args:
        started_ns: the monotonic clock before the first event, nanoseconds.
        filling: text of ``result_bytes`` bytes.
    """

    started_ns: int
    filling: str


class BurstTask(BaseTask):
    """A task whose progress contains the time at which it was sent."""

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
        """Report progress ``events`` times."""
        started_ns = time.monotonic_ns()
        for _ in range(events):
            _wait(pause)
            progress_handle.send_progress(progress_text(time.monotonic_ns()), 0.5)
        _wait(pause)
        return BurstResult(started_ns=started_ns, filling="." * result_bytes)


def _wait(seconds: float) -> None:
    if seconds:
        time.sleep(seconds)
