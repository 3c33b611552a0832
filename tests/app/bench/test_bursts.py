"""The timing of a burst."""

from __future__ import annotations

from typing import Any

import pytest

from app.bench.bursts import open_streams, run_burst, timed
from app.bench.clients.helper import Helper
from app.bench.measured.backend import MeasuredBackend

SEEN = {"first_ns": 1_100_000_000, "last_ns": 3_000_000_000, "cpu_seconds": 0.95}


class FakeCrowd(Helper):
    """Clients that give a prepared answer."""

    def __init__(self, answer: dict[str, float]) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    def begin(self, command: str, **arguments: Any) -> None:
        """Note the command."""
        self.asked.append({"command": command, **arguments})

    def finish(self) -> Any:
        """Return the answer."""
        return self.answer


class FakeBackend(MeasuredBackend):
    """A backend whose burst began at second one."""

    def __init__(self) -> None:
        self.started: list[int] = []

    def start_burst(self, events: int, *, pause: float = 0.0, result_bytes: int = 0) -> str:
        """Note the number of events."""
        self.started.append(events)
        return "t1"

    def burst_result(self, task_id: str) -> dict[str, Any]:
        """Return the result of the task."""
        return {"started_ns": 1_000_000_000}


def test_timed() -> None:
    """The rate counts from the sender's start, and the client's share from its first read."""
    burst = timed(SEEN, 1_000_000_000, 2000)
    assert burst.per_second == 1000.0
    assert burst.client_share == pytest.approx(0.5)


def test_run_burst() -> None:
    """``task_started`` is read but not counted as a delivery, and the terminal event is counted."""
    server, crowd = FakeBackend(), FakeCrowd(SEEN)
    burst = run_burst(server, crowd, readers=10, events=3)
    assert burst.per_second == 10 * 4 / 2
    assert server.started == [3]
    assert [asked["frames"] for asked in crowd.asked] == [50]


def test_open_streams() -> None:
    """Opening streams returns the time that it took."""
    crowd = FakeCrowd({"seconds": 2.5})
    assert open_streams(crowd, 80, 7, stalled=True, first=9) == 2.5
    [asked] = crowd.asked
    assert [asked[key] for key in ("port", "count", "stalled", "first")] == [80, 7, True, 9]
