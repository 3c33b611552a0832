"""How a task ended, and the one function that runs it and finds out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_core import to_json

from app.schemas.task_schema import TaskStatus
from app.tasks.base import BaseTask, TaskCancelled, TaskProgressHandle, printable
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.log_lines.safe_text import class_name, describe, text_of

__all__ = [
    "MAX_ERROR_TEXT",
    "MAX_OMITTED_BYTES",
    "Outcome",
    "ResultLimits",
    "cancelled",
    "execute",
    "failed",
    "timed_out",
]

MAX_OMITTED_BYTES = 4096
"""Names of fields that are listed as left out, as JSON; of a result with more all is left out."""

MAX_ERROR_TEXT = 2000
"""Characters of an error that are kept: it is broadcast to every browser."""


@dataclass(frozen=True, slots=True)
class ResultLimits:
    """How large the JSON of a result may be. Past that its largest fields are left out.

    Args:
        event_bytes: bytes in its event, which goes to every browser.
        kept_bytes: bytes that are kept for those who ask for the task's status.
    """

    event_bytes: int = 256 * 1024
    kept_bytes: int = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a task ended.

    Args:
        status: one of the three terminal ones.
        keeps_progress: whether progress that was reported but not sent yet is still sent.
        result_json: the result as JSON, as far as it is kept.
        dropped: the result's fields that were too large to be kept, if any were.
        event_data: what of the result goes into its event.
        omitted: the result's fields that were too large for the event, if any were; those that
            were not even kept come first.
        error: for people, of a failed task.
        exception: for the log, of a failed task.
    """

    status: TaskStatus
    keeps_progress: bool = True
    result_json: bytes | None = None
    dropped: list[str] | None = None
    event_data: Any = None
    omitted: list[str] | None = None
    error: str | None = None
    exception: BaseException | None = None


def cancelled() -> Outcome:
    """Somebody told the task to stop."""
    return Outcome(TaskStatus.CANCELLED, keeps_progress=False)


def timed_out(seconds: float) -> Outcome:
    """The task went past its time limit of so many seconds."""
    return Outcome(TaskStatus.FAILED, keeps_progress=False, error=f"timed out after {seconds:g} s")


def failed(exc: BaseException) -> Outcome:
    """The task raised; never raises itself, whatever the exception's class does."""
    # The class is asked, not the instance: isinstance() would call a foreign __class__.
    kind = type(exc)
    if issubclass(kind, KeyError) or not issubclass(kind, Exception):
        error = describe(exc)  # "'x'" or "1" alone would tell nobody anything
    else:
        error = text_of(exc) or class_name(exc)
    return Outcome(TaskStatus.FAILED, error=printable(error[:MAX_ERROR_TEXT]), exception=exc)


def execute(
    task: BaseTask,
    progress_handle: TaskProgressHandle,
    kwargs: Mapping[str, Any],
    limits: ResultLimits,
) -> Outcome:
    """Run a task to its end; never raises. Called on whichever thread the task runs on.

    Args:
        task: what to run.
        progress_handle: what it reports with.
        kwargs: its parameters.
        limits: how large its result may be.

    Returns:
        How it ended.
    """
    try:
        progress_handle.raise_if_cancelled()
        result = task.execute(progress_handle, **kwargs)
        if not isinstance(result, BaseModel):
            raise TypeError(
                f"the task {task.name} must return a pydantic model,"
                f" but returned {class_name(result)}"
            )
        # Through JSON text, not model_dump: what comes out can be sent whatever is in it
        # (NaN becomes null), and here, not in the middle of a broadcast, is where it may fail.
        encoded = result.model_dump_json().encode()
        let_others_run_if_due()  # each of these steps takes milliseconds for a large result
        plain, dropped = json.loads(encoded), None
        if len(encoded) > limits.kept_bytes:
            plain, dropped = _fit(plain, limits.kept_bytes)
            encoded = to_json(plain)
        data, omitted = plain, None
        if len(encoded) > limits.event_bytes:
            data, omitted = _fit(plain, limits.event_bytes)
        if dropped is not None:
            omitted = dropped + (omitted or [])
    except TaskCancelled:
        return cancelled()
    except BaseException as exc:  # noqa: BLE001
        # A task is foreign code: not even its SystemExit may end the server. The service logs it.
        return failed(exc)
    return Outcome(
        TaskStatus.COMPLETED,
        result_json=encoded,
        dropped=dropped,
        event_data=data,
        omitted=omitted,
    )


def _fit(result: Any, limit: int) -> tuple[Any, list[str]]:
    """Leave out the largest fields of a result that is larger than so many bytes; say which.

    An event goes to every stream: one of several megabytes would be more than slow clients may
    leave unread, and end them all.
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
