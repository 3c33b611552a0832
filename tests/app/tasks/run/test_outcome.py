"""The outcome of a task for any result and any exception."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, Never

import pytest
from pydantic import BaseModel, RootModel

from app.schemas.task_schema import TaskProgress, TaskStatus
from app.tasks.base import TaskCancelled, TaskProgressHandle
from app.tasks.run.lifecycle import TaskStep
from app.tasks.run.outcome import (
    MAX_ERROR_TEXT,
    ResultLimits,
    TaskOutcome,
    run_task,
)
from tests.app.tasks.task_support import Call
from tests.support.hostile_objects import HidesClass, Nameless, Unshowable, raising_str


class Loose(BaseModel):
    """A result whose fields take any value."""

    small: int = 1
    large: Any = None
    larger: Any = None


class Sink:
    """A sink that is open or closed."""

    def __init__(self, closed: bool = False) -> None:
        self.closed = closed

    def put(self, progress: TaskProgress) -> None:
        """Ignore the update."""


def run(
    function: Callable[..., Any], limit: int = 1000, sink: Sink | None = None, kept: int = 10**6
) -> TaskOutcome:
    """Run a function as a task."""
    limits = ResultLimits(event_bytes=limit, kept_bytes=kept)
    return run_task(Call(function), TaskProgressHandle(sink or Sink()), {}, limits)


def kept_of(outcome: TaskOutcome) -> Any:
    """Return the result that is kept."""
    assert outcome.result_json is not None
    return json.loads(outcome.result_json)


def test_a_result_is_kept_whole_and_sent_whole() -> None:
    """An ordinary result is kept and sent as a whole."""
    plain = {"small": 1, "large": [1], "larger": None}
    assert run(lambda handle: Loose(large=[1])) == TaskOutcome(
        TaskStep.RETURN,
        result_json=b'{"small":1,"large":[1],"larger":null}',
        event_data=plain,
    )


def test_a_result_that_json_cannot_hold_is_made_to_fit_or_fails() -> None:
    """NaN becomes null, and a result that cannot be encoded fails the task."""
    assert kept_of(run(lambda handle: Loose(large=math.nan)))["large"] is None
    for unfit in ("\ud800", object()):
        outcome = run(lambda handle, unfit=unfit: Loose(large=unfit))
        assert outcome.status is TaskStatus.FAILED
        assert "serializ" in (outcome.error or "")


def test_the_largest_fields_of_a_large_result_stay_out_of_its_event() -> None:
    """As few fields as possible are omitted from the event, and the whole result is kept."""
    outcome = run(lambda handle: Loose(large="x" * 900, larger="y" * 2000))
    assert outcome.event_data == {"small": 1, "large": "x" * 900}
    assert outcome.omitted == ["larger"]
    assert len(kept_of(outcome)["larger"]) == 2000
    outcome = run(lambda handle: Loose(large="x" * 1500, larger="y" * 2000))
    assert (outcome.event_data, outcome.omitted) == ({"small": 1}, ["larger", "large"])
    assert len(json.dumps(outcome.event_data)) <= 1000


def test_the_kept_result_is_bounded() -> None:
    """The largest fields are dropped, and both the event and the status name them."""
    outcome = run(lambda handle: Loose(large="x" * 900, larger="y" * 2000), kept=1500)
    assert kept_of(outcome) == {"small": 1, "large": "x" * 900}
    assert outcome.event_data == {"small": 1, "large": "x" * 900}
    assert (outcome.dropped, outcome.omitted) == (["larger"], ["larger"])
    outcome = run(lambda handle: Loose(large="x" * 1500, larger="y" * 2000), kept=1600)
    assert (len(outcome.result_json or b"") <= 1600, outcome.event_data) == (True, {"small": 1})
    assert (outcome.dropped, outcome.omitted) == (["larger"], ["larger", "large"])
    outcome = run(lambda handle: RootModel[list[int]](list(range(1000))), kept=1000)
    assert (kept_of(outcome), outcome.dropped) == ({}, ["result"])


def test_a_large_result_without_fields_stays_out_altogether() -> None:
    """A large result that is not an object is omitted as a whole."""
    outcome = run(lambda handle: RootModel[list[int]](list(range(1000))))
    assert (outcome.event_data, outcome.omitted) == ({}, ["result"])
    assert kept_of(outcome) == list(range(1000))


def test_the_names_of_omitted_fields_are_bounded() -> None:
    """If thousands of fields would be omitted, the whole result is omitted."""
    many = {f"field {number}": "x" * 10 for number in range(10_000)}
    outcome = run(lambda handle: RootModel[dict[str, str]](many), kept=20_000)
    assert (kept_of(outcome), outcome.dropped, outcome.omitted) == ({}, ["result"], ["result"])


def test_a_very_small_limit_omits_all_fields() -> None:
    """A very small limit omits all fields."""
    outcome = run(lambda handle: Loose(), limit=3)
    assert (outcome.event_data, outcome.omitted) == ({}, ["larger", "large", "small"])


def test_a_task_that_is_over_before_it_begins_does_nothing() -> None:
    """A task that was cancelled before its thread became free does not run."""
    worked: list[object] = []
    assert run(worked.append, sink=Sink(closed=True)) == TaskOutcome.cancelled()
    assert worked == []


def test_a_cancelled_task_is_cancelled() -> None:
    """TaskCancelled is not a failure."""

    def work(handle: TaskProgressHandle) -> Never:
        raise TaskCancelled("stop")

    assert run(work) == TaskOutcome(TaskStep.CANCEL)


def test_a_time_limit_is_named_as_it_was_set() -> None:
    """The error of a time limit names its value."""
    assert TaskOutcome.timed_out(300.0).error == "timed out after 300 s"
    assert TaskOutcome.timed_out(0.5) == TaskOutcome(
        TaskStep.TIME_OUT, error="timed out after 0.5 s"
    )


def test_an_error_can_always_be_shown_and_sent() -> None:
    """An error that is too long or cannot be encoded is shortened or escaped."""

    assert TaskOutcome.failed(ValueError("e" * (MAX_ERROR_TEXT + 1))).error == "e" * MAX_ERROR_TEXT
    assert TaskOutcome.failed(ValueError("caf\udce9")).error == "caf\\udce9"
    assert TaskOutcome.failed(KeyError("x")).error == "KeyError: 'x'"
    assert TaskOutcome.failed(SystemExit()).error == "SystemExit"


HOSTILE = [
    (lambda: Nameless("why"), "why"),
    (lambda: Nameless(), "Nameless"),
    (lambda: HidesClass("why"), "why"),
    (Unshowable, "<Unshowable that cannot be shown: ZeroDivisionError>"),
    (lambda: raising_str(SystemExit), "<Raising that cannot be shown: SystemExit>"),
    (lambda: raising_str(KeyboardInterrupt), "<Raising that cannot be shown: KeyboardInterrupt>"),
    (lambda: ValueError(10**5000), "<ValueError that cannot be shown: ValueError>"),
]


@pytest.mark.parametrize(("make", "error"), HOSTILE)
def test_an_exception_that_cannot_be_shown_is_still_a_failure(
    make: Callable[[], BaseException], error: str
) -> None:
    """An exception that cannot be converted to text is a failure like any other."""
    exc = make()

    def work(handle: TaskProgressHandle) -> Never:
        raise exc

    assert TaskOutcome.failed(exc) == TaskOutcome(TaskStep.RAISE, error=error, exception=exc)
    assert run(work) == TaskOutcome.failed(exc)


def test_a_result_whose_class_refuses_its_name_is_a_failure() -> None:
    """A result that hides its class name is a failure that names the class."""
    error = run(lambda handle: Nameless("x")).error
    assert error is not None
    assert error.endswith("must return a pydantic model, but returned Nameless")


@pytest.mark.parametrize("exc", [ValueError("x"), SystemExit(1)])
def test_the_exception_is_there_for_the_log(exc: BaseException) -> None:
    """The outcome has the exception with its traceback, for the log."""

    def work(handle: TaskProgressHandle) -> Never:
        raise exc

    outcome = run(work)
    assert outcome.exception is exc
    assert exc.__traceback__ is not None


@pytest.mark.parametrize(
    ("outcome", "status", "keeps_progress"),
    [
        (TaskOutcome(TaskStep.RETURN), TaskStatus.COMPLETED, True),
        (TaskOutcome.failed(ValueError("x")), TaskStatus.FAILED, True),
        (TaskOutcome.timed_out(1.0), TaskStatus.FAILED, False),
        (TaskOutcome.cancelled(), TaskStatus.CANCELLED, False),
    ],
)
def test_status_and_waiting_progress(
    outcome: TaskOutcome, status: TaskStatus, keeps_progress: bool
) -> None:
    """The step decides the status, and only an end by the task itself keeps its progress."""
    assert (outcome.status, outcome.keeps_progress) == (status, keeps_progress)


def test_a_lost_task() -> None:
    """The error says whether the task was running, and what to do."""
    running, waiting = TaskOutcome.lost(had_begun=True), TaskOutcome.lost(had_begun=False)
    assert (running.status, waiting.status) == (TaskStatus.FAILED, TaskStatus.FAILED)
    assert running.error == "its server process ended while it was running; start it again"
    assert waiting.error == "its server process ended before it began; start it again"
    assert not running.keeps_progress


def test_an_outcome_of_another_process() -> None:
    """Its event is that of the process that ran the task, within this process's limits."""
    limits = ResultLimits(event_bytes=60)
    encoded = b'{"small":1,"large":"%s"}' % (b"x" * 100)
    outcome = TaskOutcome.remembered(TaskStatus.COMPLETED, encoded, ["larger"], None, limits)
    assert (outcome.step, outcome.result_json) == (TaskStep.RETURN, encoded)
    assert (outcome.event_data, outcome.omitted) == ({"small": 1}, ["larger", "large"])
    assert outcome.dropped == ["larger"]
    without = TaskOutcome.remembered(TaskStatus.COMPLETED, None, ["result"], None, limits)
    assert (without.result_json, without.event_data) == (b"{}", {})
    failed = TaskOutcome.remembered(TaskStatus.FAILED, None, None, "no", limits)
    assert (failed.status, failed.error, failed.result_json) == (TaskStatus.FAILED, "no", None)
    cancelled = TaskOutcome.remembered(TaskStatus.CANCELLED, None, None, None, limits)
    assert cancelled == TaskOutcome.cancelled()
    with pytest.raises(ValueError, match="Expecting"):
        TaskOutcome.remembered(TaskStatus.COMPLETED, b"{", None, None, limits)
