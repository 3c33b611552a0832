"""The timing of a burst."""

from __future__ import annotations

from typing import Any

import pytest

from app.bench import bursts
from app.bench.bursts import latencies_ms, open_streams, run_burst, timed, wait_for_streams
from app.bench.clients.helper import Helper
from app.bench.errors import BenchFailed
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
    """A backend whose first burst began at second one, the next ones a second later each."""

    def __init__(self, streams: list[float] | None = None) -> None:
        self.started: list[int] = []
        self.streams = streams or []

    def start_burst(self, events: int, *, pause: float = 0.0, result_bytes: int = 0) -> str:
        """Note the number of events."""
        self.started.append(events)
        return str(len(self.started))

    def burst_result(self, task_id: str) -> dict[str, Any]:
        """Return the result of the task."""
        return {"started_ns": int(task_id) * 1_000_000_000}

    def metric(self, name: str) -> float:
        """Return the next number of streams; the last one again and again."""
        assert name == "sse_gateway_active_connections"
        return self.streams.pop(0) if len(self.streams) > 1 else self.streams[0]


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


def test_run_burst_of_tasks() -> None:
    """The events of all tasks count, from the start of the first one."""
    server, crowd = FakeBackend(), FakeCrowd(SEEN)
    burst = run_burst(server, crowd, readers=10, events=3, tasks=4)
    assert burst.per_second == 4 * 10 * 4 / 2
    assert server.started == [3] * 4
    assert [asked["frames"] for asked in crowd.asked] == [200]


def test_latencies() -> None:
    """The client returns the latency of each progress event."""
    server, crowd = FakeBackend(), FakeCrowd({"latencies_ns": [1_500_000, 2_000_000]})  # type: ignore[dict-item]
    assert latencies_ms(server, crowd, 2) == [1.5, 2.0]
    assert server.started == [2]
    assert [(asked["frames"], asked["sample"]) for asked in crowd.asked] == [(4, True)]


def test_wait_for_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits until enough streams have ended, and not without end."""
    server = FakeBackend([7, 3, 1])
    wait_for_streams(server, 1)
    assert server.streams == [1]
    monkeypatch.setattr(bursts, "SECONDS", 0.0)
    with pytest.raises(BenchFailed, match="still had streams whose clients had left"):
        wait_for_streams(FakeBackend([2]), 1)


def test_open_streams() -> None:
    """Opening streams returns the time that it took."""
    crowd = FakeCrowd({"seconds": 2.5})
    assert open_streams(crowd, 80, 7, stalled=True, first=9) == 2.5
    [asked] = crowd.asked
    assert [asked[key] for key in ("port", "count", "stalled", "first")] == [80, 7, True, 9]
