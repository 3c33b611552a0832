"""The outcome of a task, and the function that runs a task to its outcome."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel
from pydantic_core import to_json

from app.schemas.task_schema import TaskStatus
from app.tasks.base import BaseTask, TaskCancelled, TaskProgressHandle, escape_surrogates
from app.tasks.run.lifecycle import TaskStep, next_status
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.log_lines.safe_text import class_name, describe, text_of

__all__ = ["MAX_ERROR_TEXT", "MAX_OMITTED_BYTES", "ResultLimits", "TaskOutcome", "run_task"]

MAX_OMITTED_BYTES = 4096
"""The largest size of the list of omitted fields as JSON; if exceeded, all fields are omitted."""

MAX_ERROR_TEXT = 2000
"""The kept length of an error, characters: an error is broadcast to every browser."""

LOST_RUNNING = "its server process ended while it was running; start it again"
"""The error of a task whose process ended during its run."""

LOST_PENDING = "its server process ended before it began; start it again"
"""The error of a task whose process ended while the task waited."""


@dataclass(frozen=True, slots=True)
class ResultLimits:
    """The limits of a result as JSON. The largest fields of a larger result are left out.

    Args:
        event_bytes: the largest result in an event, which goes to every browser, bytes.
        kept_bytes: the largest result that is kept for requests of the task's status, bytes.
    """

    event_bytes: int = 256 * 1024
    kept_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class TaskOutcome:
    """The end of a task.

    Args:
        step: the step that ended the task; not ``BEGIN``.
        result_json: the result as JSON, without the fields that are too large to be kept.
        dropped: the names of the fields that were too large to be kept, or None.
        event_data: the part of the result that is in the terminal event.
        omitted: the names of the fields that are not in the terminal event, or None; those that
            are not kept either come first.
        error: the message of a failure, for people.
        exception: the exception that the task raised, for the log.
    """

    step: TaskStep
    result_json: bytes | None = None
    dropped: list[str] | None = None
    event_data: Any = None
    omitted: list[str] | None = None
    error: str | None = None
    exception: BaseException | None = None

    @property
    def status(self) -> TaskStatus:
        """The status of a running task after this end."""
        return next_status(TaskStatus.RUNNING, self.step)

    @property
    def keeps_progress(self) -> bool:
        """True if progress that was reported before the end is still sent."""
        return self.step in (TaskStep.RETURN, TaskStep.RAISE)

    @classmethod
    def cancelled(cls) -> Self:
        """Make the outcome of a cancelled task."""
        return cls(TaskStep.CANCEL)

    @classmethod
    def timed_out(cls, seconds: float) -> Self:
        """Make the outcome of a task that exceeded its time limit.

        Args:
            seconds: the time limit.
        """
        return cls(TaskStep.TIME_OUT, error=f"timed out after {seconds:g} s")

    @classmethod
    def lost(cls, *, had_begun: bool) -> Self:
        """Make the outcome of a task whose process ended before the task.

        Args:
            had_begun: whether the task was running, and not waiting.
        """
        return cls(TaskStep.LOSE, error=LOST_RUNNING if had_begun else LOST_PENDING)

    @classmethod
    def failed(cls, exc: BaseException) -> Self:
        """Make the outcome of a task that raised an exception.

        This never raises, whatever the class of the exception does.
        """
        # The class is tested instead of the instance: isinstance() would call a foreign __class__.
        kind = type(exc)
        if issubclass(kind, KeyError) or not issubclass(kind, Exception):
            error = describe(exc)  # because "'x'" or "1" alone would not explain anything
        else:
            error = text_of(exc) or class_name(exc)
        error = escape_surrogates(error[:MAX_ERROR_TEXT])
        return cls(TaskStep.RAISE, error=error, exception=exc)

    @classmethod
    def completed(cls, result: BaseModel, limits: ResultLimits) -> Self:
        """Make the outcome of a task that returned a result.

        Raises:
            Exception: the result cannot be written as JSON.
        """
        # The result is encoded here, because this may fail and must not fail during a broadcast.
        # It goes through JSON text instead of model_dump(), so that the result can always be sent
        # (NaN becomes null).
        encoded = result.model_dump_json().encode()
        let_others_run_if_due()  # each of these steps takes milliseconds for a large result
        plain, dropped = json.loads(encoded), None
        if len(encoded) > limits.kept_bytes:
            plain, dropped = _shrink(plain, limits.kept_bytes)
            encoded = to_json(plain)
        return cls._returned(encoded, plain, dropped, limits)

    @classmethod
    def remembered(
        cls,
        status: TaskStatus,
        result_json: bytes | None,
        dropped: list[str] | None,
        error: str | None,
        limits: ResultLimits,
    ) -> Self:
        """Make the outcome of a task that ended in another process.

        Args:
            status: the terminal status.
            result_json: the kept result as JSON.
            dropped: the names of the fields that were not kept, or None.
            error: the message of a failure.
            limits: the limits of a result; only that of an event matters.

        Raises:
            ValueError: the result is not JSON.
        """
        if status is TaskStatus.COMPLETED:
            encoded = result_json or b"{}"
            return cls._returned(encoded, json.loads(encoded), dropped, limits)
        return cls(
            TaskStep.CANCEL if status is TaskStatus.CANCELLED else TaskStep.RAISE, error=error
        )

    @classmethod
    def _returned(
        cls, encoded: bytes, plain: Any, dropped: list[str] | None, limits: ResultLimits
    ) -> Self:
        data, omitted = plain, None
        if len(encoded) > limits.event_bytes:
            data, omitted = _shrink(plain, limits.event_bytes)
        if dropped is not None:
            omitted = dropped + (omitted or [])
        return cls(
            TaskStep.RETURN,
            result_json=encoded,
            dropped=dropped,
            event_data=data,
            omitted=omitted,
        )


def run_task(
    task: BaseTask,
    progress_handle: TaskProgressHandle,
    kwargs: Mapping[str, Any],
    limits: ResultLimits,
) -> TaskOutcome:
    """Run a task to its end. This never raises. It is called on the thread that the task runs on.

    Args:
        task: the task to run.
        progress_handle: the handle that the task reports its progress with.
        kwargs: the task's parameters.
        limits: the limits of the task's result.
    """
    try:
        progress_handle.raise_if_cancelled()
        result = task.execute(progress_handle, **kwargs)
        if not isinstance(result, BaseModel):
            raise TypeError(
                f"the task {task.name} must return a pydantic model,"
                f" but returned {class_name(result)}"
            )
        return TaskOutcome.completed(result, limits)
    except TaskCancelled:
        return TaskOutcome.cancelled()
    except BaseException as exc:  # noqa: BLE001 - also SystemExit
        # A task is foreign code: not even its SystemExit may end the server. The conductor logs it.
        return TaskOutcome.failed(exc)


def _shrink(result: Any, limit: int) -> tuple[Any, list[str]]:
    """Leave out the largest fields of a result until it has at most ``limit`` bytes as JSON.

    An event goes to every stream. Slow clients may leave only a limited number of bytes unread, so
    an event of several megabytes would end all of their streams.

    Returns:
        The smaller result, and the names of the fields that were left out.
    """
    if not isinstance(result, dict):
        return {}, ["result"]
    sizes = {}
    for name, value in result.items():
        let_others_run_if_due()
        sizes[name] = len(to_json({name: value}))
    kept, omitted, total = dict(result), [], sum(sizes.values())
    for name in sorted(sizes, key=lambda name: -sizes[name]):
        if total <= limit:
            break
        total -= sizes[name]
        del kept[name]
        omitted.append(name)
    if len(to_json(omitted)) > MAX_OMITTED_BYTES:
        return {}, ["result"]
    return kept, omitted
