"""TaskBody: the work, the time limit and the progress of a run, and its stop."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Never

import gevent
import pytest

from app.tasks.base import TaskProgressHandle
from app.tasks.run.body import TaskBody
from app.tasks.run.lifecycle import TaskStep
from app.tasks.run.native import NativeRunner
from app.tasks.run.outcome import TaskOutcome
from tests.support.timing import TIME_LIMIT

COMPLETED = TaskOutcome(TaskStep.RETURN)


class BodyRun:
    """A body that is stopped by its first outcome."""

    def __init__(
        self,
        work: Callable[[TaskProgressHandle], TaskOutcome],
        native: NativeRunner | None = None,
        timeout: float = TIME_LIMIT,
    ) -> None:
        self.outcomes: list[TaskOutcome] = []
        self.body = TaskBody(work, native, timeout, self.settle)

    def settle(self, outcome: TaskOutcome) -> None:
        """Keep the outcome, and stop at the first one."""
        self.outcomes.append(outcome)
        if len(self.outcomes) == 1:
            self.body.stop(discard=not outcome.keeps_progress)

    def updates(self) -> list[str]:
        """Return the texts of all updates."""
        with gevent.Timeout(TIME_LIMIT):
            return [progress.text for progress in self.body.updates()]


def make_native_runner() -> NativeRunner:
    """Make a runner with its own threads."""
    return NativeRunner(slots=1)


@pytest.mark.parametrize("runner", [lambda: None, make_native_runner])
def test_work_reports_and_ends(runner: Callable[[], NativeRunner | None]) -> None:
    """All updates of the work come before the end of the updates."""

    def work(handle: TaskProgressHandle) -> TaskOutcome:
        handle.send_progress("a", 0)
        handle.send_progress("b", 1)
        return COMPLETED

    run = BodyRun(work, runner())
    run.body.begin()
    assert run.outcomes == []
    assert run.updates() == ["a", "b"]
    assert run.outcomes == [COMPLETED]


def test_work_begins_when_the_caller_waits() -> None:
    """Work that is stopped before the caller waits never begins."""
    worked: list[object] = []

    def work(handle: TaskProgressHandle) -> TaskOutcome:
        worked.append(handle)
        return COMPLETED

    run = BodyRun(work)
    run.body.begin()
    run.body.stop(discard=True)
    assert run.updates() == []
    gevent.sleep(0)
    assert (worked, run.outcomes) == ([], [])


def test_a_time_limit_settles_and_stops() -> None:
    """The time limit kills the work, and the outcome of the killed work comes second."""

    def work(handle: TaskProgressHandle) -> TaskOutcome:
        with suppress(gevent.GreenletExit):
            gevent.sleep(TIME_LIMIT)
        return COMPLETED

    run = BodyRun(work, timeout=0.01)
    run.body.begin()
    assert run.updates() == []
    gevent.sleep(0)
    assert [outcome.error for outcome in run.outcomes] == ["timed out after 0.01 s", None]


def test_a_thread_that_cannot_be_had_is_an_outcome() -> None:
    """A thread that cannot be started is an outcome, too."""

    class NoThreads(NativeRunner):
        def run(self, work: object, at_end: Callable[[], None]) -> Never:
            at_end()
            raise RuntimeError("can't start new thread")

    run = BodyRun(lambda handle: COMPLETED, NoThreads(slots=1))
    run.body.begin()
    assert run.updates() == []
    assert [outcome.error for outcome in run.outcomes] == ["can't start new thread"]
