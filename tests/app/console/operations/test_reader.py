"""Samples that are read from the counters."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from app.console.operations import reader as module
from app.console.operations.reader import SampleReader, read_memory_bytes
from app.services.metrics.totals import MetricsTotals
from gateway_shim.event_log.log import LogStats
from gateway_shim.streams.stats import GatewayStats


class Server:
    """The counters of a server, which a test sets."""

    def __init__(self, *, has_gateway: bool = True) -> None:
        self.totals = MetricsTotals()
        self.lag = 0.0
        self.stats = GatewayStats()
        self.last_event_id: str | None = "e-9"
        self.problem: str | None = None
        self.time = 100.0
        self.reader = SampleReader(
            self.totals.take,
            lambda: self.lag,
            self if has_gateway else None,
            lambda: self.problem,
            memory_bytes=lambda: 5000,
            clock=lambda: self.time,
            now=lambda: self.time + 1_000_000,
        )

    def read_stats(self) -> GatewayStats:
        """Return the counters of the gateway."""
        return self.stats

    def read(self, after: float = 5.0) -> dict[str, Any]:
        """Return a sample after some seconds."""
        self.time += after
        return self.reader.read().as_json()


def test_rates() -> None:
    """Rates are those of the interval; what came before the start belongs to no interval."""
    server = Server()
    server.totals.events = 1000
    server.reader.begin()
    server.totals.events += 10
    server.totals.deliveries += 500
    first = server.read()
    assert (first["events_per_second"], first["deliveries_per_second"]) == (2.0, 100.0)
    assert first["time"] == 1_000_105_000
    second = server.read()
    assert (second["events_per_second"], second["deliveries_per_second"]) == (0.0, 0.0)


def test_a_clock_that_stands_still() -> None:
    """Two samples at one moment do not divide by zero."""
    assert Server().read(0.0)["events_per_second"] == 0.0


def test_broadcasts() -> None:
    """The average and the longest broadcast are those of the interval; without one, null."""
    server = Server()
    server.totals.broadcast_finished(5, 0.5)
    server.reader.begin()
    server.totals.broadcast_finished(5, 0.001)
    server.totals.broadcast_finished(5, 0.003)
    sample = server.read()
    assert sample["broadcast_ms"] == pytest.approx(2.0)
    assert sample["longest_broadcast_ms"] == pytest.approx(3.0)
    sample = server.read()
    assert (sample["broadcast_ms"], sample["longest_broadcast_ms"]) == (None, None)


def test_own_gateway() -> None:
    """The figures of the gateway, its log, the tasks, the loop and the memory are all there."""
    server = Server()
    server.lag = 0.25
    server.totals.tasks_running, server.totals.tasks_waiting = 3, 7
    server.totals.appends_failed = 2
    server.stats = GatewayStats(
        active=4,
        bytes_buffered=11,
        pending_connects=1,
        opened=6,
        closed=Counter({"error": 1, "client_closed": 1}),
        slow_consumers_ended=5,
        callbacks_failed=8,
        resyncs=Counter({"lagging": 1, "unknown": 2}),
        streams_behind=2,
        streams_far_behind=1,
        bytes_behind=2_000_000,
        log=LogStats(oldest=3, newest=9, size=900, oldest_age=12.34567, in_memory=True),
    )
    assert server.read() == {
        "time": 1_000_105_000,
        "deliveries_per_second": 0.0,
        "events_per_second": 0.0,
        "streams": 4,
        "opened": 6,
        "closed": 2,
        "broadcast_ms": None,
        "longest_broadcast_ms": None,
        "loop_lag_ms": 250.0,
        "memory_bytes": 5000,
        "tasks_running": 3,
        "tasks_waiting": 7,
        "appends_failed": 2,
        "gateway": {
            "pending_connects": 1,
            "bytes_buffered": 11,
            "slow_consumers_ended": 5,
            "callbacks_failed": 8,
            "log": {
                "newest_id": "e-9",
                "oldest_id": "e-3",
                "newest": 9,
                "oldest": 3,
                "bytes": 900,
                "oldest_age_seconds": 12.346,
                "in_memory": True,
                "streams_behind": 2,
                "streams_far_behind": 1,
                "bytes_behind": 2_000_000,
                "resyncs": 3,
            },
        },
        "gateway_problem": None,
    }


def test_no_log() -> None:
    """Without a log, its figures are null."""
    server = Server()
    server.last_event_id = None
    assert server.read()["gateway"]["log"] is None


def test_other_gateway() -> None:
    """The figures of another process's gateway are null; its streams are those registered here."""
    server = Server(has_gateway=False)
    server.totals.streams, server.totals.opened, server.totals.closed = 3, 5, 2
    server.problem = "The gateway cannot be reached"
    sample = server.read()
    assert sample["gateway"] is None
    assert (sample["streams"], sample["opened"], sample["closed"]) == (3, 5, 2)
    assert sample["gateway_problem"] == "The gateway cannot be reached"


def test_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The memory is that of this process; None where the system does not tell."""
    before = read_memory_bytes()
    assert before is not None
    assert before > 10 << 20
    ballast = bytearray(b"x") * (64 << 20)
    after = read_memory_bytes()
    assert after is not None
    assert after - before > 32 << 20
    del ballast
    monkeypatch.setattr(module, "_STATM", tmp_path / "none")
    assert read_memory_bytes() is None


def test_events_of_other_processes() -> None:
    """Streams that take an event of another worker count as deliveries, too."""
    server = Server()
    server.stats.delivered_for_others = 1000
    server.reader.begin()
    server.stats.delivered_for_others += 20
    server.totals.deliveries += 5
    assert server.read()["deliveries_per_second"] == 5.0
    assert server.read()["deliveries_per_second"] == 0.0
