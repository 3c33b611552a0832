"""The task that the bench runs."""

from __future__ import annotations

import time

import pytest

from app.bench.clients.payload import stamps
from app.bench.measured.burst_task import BurstTask
from app.errors import BadRequest
from app.schemas.task_schema import TaskProgress
from app.tasks.base import TaskProgressHandle


class Sink:
    """A sink that keeps all updates."""

    closed = False

    def __init__(self) -> None:
        self.taken: list[TaskProgress] = []

    def put(self, progress: TaskProgress) -> None:
        """Keep the update."""
        self.taken.append(progress)


def test_sends_stamped_progress() -> None:
    """Each event contains the time of sending, and the result the time of the beginning."""
    sink, before = Sink(), time.monotonic_ns()
    result = BurstTask().execute(TaskProgressHandle(sink), events=3, pause=0.0, result_bytes=5)
    sent = [stamps(progress.text.encode())[0] for progress in sink.taken]
    assert [progress.value for progress in sink.taken] == [0.5] * 3
    assert before <= result.started_ns <= sent[0] <= sent[1] <= sent[2] <= time.monotonic_ns()
    assert result.filling == "....."


def test_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a pause before each event and before the end."""
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    BurstTask().execute(TaskProgressHandle(Sink()), events=2, pause=0.25, result_bytes=0)
    assert pauses == [0.25] * 3


def test_params() -> None:
    """The task has a name, and its params have defaults and limits."""
    assert BurstTask.name == "burst"
    assert BurstTask().validate_params({"events": 7}) == {
        "events": 7,
        "pause": 0.0,
        "result_bytes": 0,
    }
    with pytest.raises(BadRequest):
        BurstTask().validate_params({"events": -1})
