"""TaskBody: a run's work, time limit and progress, and how it is stopped."""

from __future__ import annotations

import gevent
import pytest

from app.tasks.run.body import TaskBody
from app.tasks.run.lifecycle import TaskStep
from app.tasks.run.native import NativeRunner
from app.tasks.run.outcome import TaskOutcome
from tests.support.timing import TIME_LIMIT

COMPLETED = TaskOutcome(TaskStep.RETURN)


class Run:
    """A body whose first outcome stops it."""

    def __init__(self, work, native=None, timeout=TIME_LIMIT):
        self.outcomes = []
        self.body = TaskBody(work, native, timeout, self.settle)

    def settle(self, outcome):
        """Keep it; stop at the first."""
        self.outcomes.append(outcome)
        if len(self.outcomes) == 1:
            self.body.stop(discard=not outcome.keeps_progress)

    def updates(self):
        """The texts of all updates."""
        with gevent.Timeout(TIME_LIMIT):
            return [progress.text for progress in self.body.updates()]


def native():
    """A runner with threads of its own."""
    return NativeRunner(slots=1)


@pytest.mark.parametrize("runner", [lambda: None, native])
def test_work_reports_and_ends(runner):
    """All of its progress comes before its updates end."""

    def work(handle):
        handle.send_progress("a", 0)
        handle.send_progress("b", 1)
        return COMPLETED

    run = Run(work, runner())
    run.body.begin()
    assert run.outcomes == []
    assert run.updates() == ["a", "b"]
    assert run.outcomes == [COMPLETED]


def test_work_begins_when_the_caller_waits():
    """A stop before that means that it never does."""
    worked = []
    run = Run(worked.append)
    run.body.begin()
    run.body.stop(discard=True)
    assert run.updates() == []
    gevent.sleep(0)
    assert (worked, run.outcomes) == ([], [])


def test_a_time_limit_settles_and_stops():
    """The work is killed; what it comes to afterwards is still offered."""

    def work(handle):
        try:
            gevent.sleep(TIME_LIMIT)
        except gevent.GreenletExit:
            return COMPLETED

    run = Run(work, timeout=0.01)
    run.body.begin()
    assert run.updates() == []
    gevent.sleep(0)
    assert [outcome.error for outcome in run.outcomes] == ["timed out after 0.01 s", None]


def test_a_thread_that_cannot_be_had_is_an_outcome():
    """The body never ends without one."""

    class NoThreads:
        def run(self, work, at_end):
            at_end()
            raise RuntimeError("can't start new thread")

    run = Run(lambda handle: COMPLETED, NoThreads())
    run.body.begin()
    assert run.updates() == []
    assert [outcome.error for outcome in run.outcomes] == ["can't start new thread"]
