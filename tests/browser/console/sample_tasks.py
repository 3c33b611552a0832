"""Tasks for the tests of the page Tasks. ``APP_TASKS`` names them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, Field, SecretStr

from app.tasks.base import BaseTask, TaskProgressHandle

__all__ = [
    "APP_TASKS",
    "HOSTILE",
    "GatedTask",
    "HostileTask",
    "LooseTask",
    "ParamsTask",
    "RushTask",
]

APP_TASKS = ",".join(
    f"{__name__}:{name}"
    for name in ("GatedTask", "HostileTask", "LooseTask", "ParamsTask", "RushTask")
)
"""The setting that offers these tasks."""

HOSTILE = "<img src=x onerror='window.hacked = 1'> \u202egnp.exe\u2066 \x00 </pre><script>hack()"
"""A text that does harm if a page takes it for HTML or lets it turn the texts around it."""


class GatedParams(BaseModel):
    """The params of :class:`GatedTask`."""

    gate: str = Field(description="A path. The task goes on when there is a file.")


class Done(BaseModel):
    """A result."""

    text: str
    more: dict[str, str] = {}


class GatedTask(BaseTask):
    """A task that is at a quarter until a file exists, and then ends."""

    params_model = GatedParams

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> Done:
        """Wait for the file."""
        progress_handle.send_progress("Waiting at the gate", 0.25)
        while not Path(kwargs["gate"]).exists():
            time.sleep(0.02)
        return Done(text="through")


class HostileParams(BaseModel):
    """The params of :class:`HostileTask`."""

    size: int = 0
    fails: bool = False


class HostileTask(BaseTask):
    """A task with hostile texts: <b onclick='hack()'>``bold``</b>."""

    params_model = HostileParams

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> Done:
        """Report and return hostile texts, or raise one."""
        progress_handle.send_progress(HOSTILE + "x" * 2000, 0.5)
        if kwargs["fails"]:
            raise ValueError(HOSTILE)
        return Done(text=HOSTILE, more={HOSTILE: "y" * kwargs["size"]})


class LooseTask(BaseTask):
    """A task that accepts all params."""

    def execute(self, progress_handle: TaskProgressHandle, word: str = "a", **more: Any) -> Done:
        """Return the params."""
        return Done(text=word, more={name: repr(value) for name, value in more.items()})


class Size(BaseModel):
    """A size."""

    width: int
    height: int = 1


class ParamsParams(BaseModel):
    """A param of each kind."""

    count: int = Field(ge=1, le=9, description="How many.")
    share: float | None = None
    loud: bool = False
    color: Literal["red", "green"] = "red"
    size: Size | None = None
    either: int | str | None = None
    token: SecretStr = Field(min_length=3)


class ParamsTask(BaseTask):
    """A task that returns its params."""

    params_model = ParamsParams

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> Done:
        """Return the params, with the secret."""
        shown = {name: repr(value) for name, value in kwargs.items()}
        return Done(text=kwargs["token"].get_secret_value(), more=shown)


class RushParams(BaseModel):
    """The params of :class:`RushTask`."""

    updates: int = 10_000


class RushTask(BaseTask):
    """A task that reports as fast as it can."""

    params_model = RushParams

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: Any) -> Done:
        """Report many times."""
        count = kwargs["updates"]
        for number in range(1, count + 1):
            progress_handle.send_progress(f"Update {number}", number / count)
        return Done(text=f"{count} updates")
