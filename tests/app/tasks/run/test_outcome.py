"""What a run of a task comes to, whatever it returns or raises."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from pydantic import BaseModel, RootModel

from app.schemas.task_schema import TaskStatus
from app.tasks.base import TaskCancelled, TaskProgressHandle
from app.tasks.run.outcome import (
    MAX_ERROR_TEXT,
    Outcome,
    ResultLimits,
    cancelled,
    execute,
    failed,
    timed_out,
)
from tests.app.tasks.task_support import Call
from tests.support.hostile_objects import HidesClass, Nameless, Unshowable, raising_str


class Loose(BaseModel):
    """A result that takes anything."""

    small: int = 1
    large: Any = None
    larger: Any = None


class Sink:
    """Open, or closed."""

    def __init__(self, closed=False):
        self.closed = closed

    def put(self, progress):
        """Forget it."""


def run(function, limit=1000, sink=None, kept=10**6):
    """Run a function as a task."""
    limits = ResultLimits(event_bytes=limit, kept_bytes=kept)
    return execute(Call(function), TaskProgressHandle(sink or Sink()), {}, limits)


def kept_of(outcome):
    """The result that is kept."""
    return json.loads(outcome.result_json)


def test_a_result_is_kept_whole_and_sent_whole():
    """An ordinary result is the same in both places."""
    plain = {"small": 1, "large": [1], "larger": None}
    assert run(lambda handle: Loose(large=[1])) == Outcome(
        TaskStatus.COMPLETED,
        result_json=b'{"small":1,"large":[1],"larger":null}',
        event_data=plain,
    )


def test_a_result_that_json_cannot_hold_is_made_to_fit_or_fails():
    """NaN becomes null; what cannot be written fails the task, not the broadcast."""
    assert kept_of(run(lambda handle: Loose(large=math.nan)))["large"] is None
    for unfit in ("\ud800", object()):
        outcome = run(lambda handle, unfit=unfit: Loose(large=unfit))
        assert outcome.status is TaskStatus.FAILED
        assert "serializ" in outcome.error


def test_the_largest_fields_of_a_large_result_stay_out_of_its_event():
    """As few as are needed; the whole result is kept."""
    outcome = run(lambda handle: Loose(large="x" * 900, larger="y" * 2000))
    assert outcome.event_data == {"small": 1, "large": "x" * 900}
    assert outcome.omitted == ["larger"]
    assert len(kept_of(outcome)["larger"]) == 2000
    outcome = run(lambda handle: Loose(large="x" * 1500, larger="y" * 2000))
    assert (outcome.event_data, outcome.omitted) == ({"small": 1}, ["larger", "large"])
    assert len(json.dumps(outcome.event_data)) <= 1000


def test_what_is_kept_of_a_result_is_bounded():
    """The largest fields are dropped, and both the event and the status say which."""
    outcome = run(lambda handle: Loose(large="x" * 900, larger="y" * 2000), kept=1500)
    assert kept_of(outcome) == {"small": 1, "large": "x" * 900}
    assert outcome.event_data == {"small": 1, "large": "x" * 900}
    assert (outcome.dropped, outcome.omitted) == (["larger"], ["larger"])
    outcome = run(lambda handle: Loose(large="x" * 1500, larger="y" * 2000), kept=1600)
    assert (len(outcome.result_json) <= 1600, outcome.event_data) == (True, {"small": 1})
    assert (outcome.dropped, outcome.omitted) == (["larger"], ["larger", "large"])
    outcome = run(lambda handle: RootModel[list[int]](list(range(1000))), kept=1000)
    assert (kept_of(outcome), outcome.dropped) == ({}, ["result"])


def test_a_large_result_without_fields_stays_out_altogether():
    """There is nothing to choose from."""
    outcome = run(lambda handle: RootModel[list[int]](list(range(1000))))
    assert (outcome.event_data, outcome.omitted) == ({}, ["result"])
    assert kept_of(outcome) == list(range(1000))


def test_the_names_of_what_is_left_out_are_bounded():
    """Of a result with thousands of fields all is left out, instead of a list of thousands."""
    many = {f"field {number}": "x" * 10 for number in range(10_000)}
    outcome = run(lambda handle: RootModel[dict[str, str]](many), kept=20_000)
    assert (kept_of(outcome), outcome.dropped, outcome.omitted) == ({}, ["result"], ["result"])


def test_fields_are_left_out_to_the_last():
    """Even a limit that nothing meets is met."""
    outcome = run(lambda handle: Loose(), limit=3)
    assert (outcome.event_data, outcome.omitted) == ({}, ["larger", "large", "small"])


def test_a_task_that_is_over_before_it_begins_does_nothing():
    """As when its thread came free too late."""
    worked = []
    assert run(worked.append, sink=Sink(closed=True)) == cancelled()
    assert worked == []


def test_a_cancelled_task_is_cancelled():
    """TaskCancelled is no failure."""

    def work(handle):
        raise TaskCancelled("stop")

    assert run(work) == Outcome(TaskStatus.CANCELLED, keeps_progress=False)


def test_a_time_limit_is_named_as_it_was_set():
    """300.0 is 300 s, 0.5 is 0.5 s."""
    assert timed_out(300.0).error == "timed out after 300 s"
    assert timed_out(0.5) == Outcome(
        TaskStatus.FAILED, keeps_progress=False, error="timed out after 0.5 s"
    )


def test_an_error_can_always_be_shown_and_sent():
    """Too long, not encodable, or not even printable."""

    assert failed(ValueError("e" * (MAX_ERROR_TEXT + 1))).error == "e" * MAX_ERROR_TEXT
    assert failed(ValueError("caf\udce9")).error == "caf\\udce9"
    assert failed(KeyError("x")).error == "KeyError: 'x'"
    assert failed(SystemExit()).error == "SystemExit"


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
def test_an_exception_that_cannot_be_shown_is_still_a_failure(make, error):
    """Its class may refuse to say its name, and its text may raise anything."""
    exc = make()

    def work(handle):
        raise exc

    assert failed(exc) == Outcome(TaskStatus.FAILED, error=error, exception=exc)
    assert run(work) == failed(exc)


def test_a_result_whose_class_refuses_its_name_is_a_failure():
    """It is no model; the message names its class all the same."""
    error = run(lambda handle: Nameless("x")).error
    assert error.endswith("must return a pydantic model, but returned Nameless")


@pytest.mark.parametrize("exc", [ValueError("x"), SystemExit(1)])
def test_the_exception_is_there_for_the_log(exc):
    """With its traceback."""

    def work(handle):
        raise exc

    outcome = run(work)
    assert outcome.exception is exc
    assert exc.__traceback__ is not None
