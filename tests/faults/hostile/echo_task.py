"""Tasks that repeat a text, for the injection tests."""

from __future__ import annotations

from pydantic import BaseModel

from app.tasks.base import BaseTask, TaskProgressHandle


class Text(BaseModel):
    """The parameters and the result of the tasks."""

    text: str


class EchoTask(BaseTask):
    """A task that reports a text as progress, and returns the text."""

    params_model = Text

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: str) -> Text:
        """Report the text, and return it."""
        progress_handle.send_progress(kwargs["text"], 0.5)
        return Text(text=kwargs["text"])


class FailingEchoTask(BaseTask):
    """A task that fails with a text."""

    params_model = Text

    def execute(self, progress_handle: TaskProgressHandle, **kwargs: str) -> Text:
        """Raise an error with the text."""
        raise RuntimeError(kwargs["text"])
