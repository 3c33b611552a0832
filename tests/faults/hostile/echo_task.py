"""A user's task that says what it is told, for the tests of injection."""

from __future__ import annotations

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle


class Text(BaseModel):
    """What it is told, and returns."""

    text: str


class EchoTask(BaseTask):
    """Reports a text as progress, then as its result."""

    params_model = Text

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: str) -> Text:
        """Report the text."""
        progress_handle.send_progress(kwargs["text"], 0.5)
        return Text(text=kwargs["text"])


class FailingEchoTask(BaseTask):
    """Fails with a text."""

    params_model = Text

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: str) -> Text:
        """Fail."""
        raise RuntimeError(kwargs["text"])
