"""A user's tasks and authorization hook that are useful for an attacker."""

from __future__ import annotations

import time
from collections.abc import Mapping

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle

__all__ = [
    "APP_TASKS",
    "SSE_AUTHORIZE",
    "EndlessProgressTask",
    "LargeResultTask",
    "NativeEndlessProgressTask",
    "QuickTask",
    "WaitingTask",
    "authorize_slowly",
]

APP_TASKS = ",".join(
    f"tests.faults.attacks.user_tasks:{name}"
    for name in (
        "EndlessProgressTask",
        "NativeEndlessProgressTask",
        "LargeResultTask",
        "QuickTask",
        "WaitingTask",
    )
)
"""The value of APP_TASKS that offers these tasks."""

SSE_AUTHORIZE = "tests.faults.attacks.user_tasks:authorize_slowly"
"""The value of SSE_AUTHORIZE for the hook."""


def authorize_slowly(request_id: str, url: str, headers: Mapping[str, str | list[str]]) -> None:
    """Allow all streams, and the streams of the attack ``reconnecting`` only after 4.5 s."""
    if request_id.startswith("again-"):
        time.sleep(4.5)


class Seconds(BaseModel):
    """The duration of a task, in seconds."""

    seconds: float


class Size(BaseModel):
    """The size of a result, in bytes."""

    size: int


class Text(BaseModel):
    """A result with a text."""

    text: str


class EndlessProgressTask(BaseTask):
    """A task that reports progress without pause."""

    params_model = Seconds

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: float) -> Text:
        """Report progress until the time is over."""
        end = time.monotonic() + kwargs["seconds"]
        count = 0
        while time.monotonic() < end:
            count += 1
            progress_handle.send_progress(f"report {count}", 0.5)
        return Text(text=f"{count} reports")


class NativeEndlessProgressTask(EndlessProgressTask):
    """The same task on a native thread."""

    cpu_bound = True


class LargeResultTask(BaseTask):
    """A task that returns a text of any size."""

    params_model = Size

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: int) -> Text:
        """Return the text at once."""
        return Text(text="x" * kwargs["size"])


class Filling(BaseModel):
    """Parameters of any size."""

    filling: str = ""


class QuickTask(BaseTask):
    """A task that ends at once."""

    params_model = Filling

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: str) -> Text:
        """Return an empty text."""
        return Text(text="")


class WaitingTask(QuickTask):
    """A task that waits for a minute."""

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: str) -> Text:
        """Wait for a minute."""
        time.sleep(60)
        return Text(text="")
