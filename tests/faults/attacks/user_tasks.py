"""A user's tasks, and a user's hook, as attackers would like to have them."""

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
"""The setting that offers them."""

SSE_AUTHORIZE = "tests.faults.attacks.user_tasks:authorize_slowly"
"""The setting that asks it."""


def authorize_slowly(request_id: str, url: str, headers: Mapping[str, str | list[str]]) -> None:
    """Let all streams open, those of the attack ``reconnecting`` after 4.5 s."""
    if request_id.startswith("again-"):
        time.sleep(4.5)


class Seconds(BaseModel):
    """How long it goes on."""

    seconds: float


class Size(BaseModel):
    """How large the result is, bytes."""

    size: int


class Text(BaseModel):
    """A result."""

    text: str


class EndlessProgressTask(BaseTask):
    """Reports progress without pause."""

    params_model = Seconds

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: float) -> Text:
        """Report until the time is over."""
        end = time.monotonic() + kwargs["seconds"]
        count = 0
        while time.monotonic() < end:
            count += 1
            progress_handle.send_progress(f"report {count}", 0.5)
        return Text(text=f"{count} reports")


class NativeEndlessProgressTask(EndlessProgressTask):
    """Does the same on a native thread."""

    cpu_bound = True


class LargeResultTask(BaseTask):
    """Returns a text of any size."""

    params_model = Size

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: int) -> Text:
        """Return it at once."""
        return Text(text="x" * kwargs["size"])


class Filling(BaseModel):
    """Parameters of any size."""

    filling: str = ""


class QuickTask(BaseTask):
    """Is over at once."""

    params_model = Filling

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: str) -> Text:
        """Return."""
        return Text(text="")


class WaitingTask(QuickTask):
    """Waits for a minute, without work."""

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: str) -> Text:
        """Wait."""
        time.sleep(60)
        return Text(text="")
