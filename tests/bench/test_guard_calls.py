"""The calls of a broadcast: counts that are the same on every machine, and no timings.

Each guard is also run against code that does too much on purpose. So the guard is known to fail if
a change adds work for each stream and event.
"""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Iterator

import pytest

from app.services.connection_manager import ConnectionManager
from gateway_shim.streams.gateway import Gateway
from tests.bench.counted_gateway import FEW, MANY, CountedGateway, CountingHandler, note_encodings
from tests.bench.worse_gateways import (
    AsksEachSocket,
    CountsEachStream,
    EncodesForEachStream,
    LogsEachStream,
    SendsTwice,
)


@pytest.fixture
def records() -> Iterator[CountingHandler]:
    """Count every log record, DEBUG included."""
    handler, root = CountingHandler(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.removeHandler(handler)
    root.setLevel(level)


def python_calls(counted: CountedGateway) -> int:
    """Return the number of Python functions that one broadcast calls in its own greenlet."""
    calls = 0

    def count(frame: object, event: str, _: object) -> None:
        nonlocal calls
        calls += event == "call"

    counted.broadcast()
    before = sys.getprofile()
    sys.setprofile(count)
    try:
        counted.broadcast()
    finally:
        sys.setprofile(before)
    return calls


def calls_per_broadcast(gateway: type[Gateway], streams: int) -> Counter[str]:
    """Return the calls of all sockets in one broadcast."""
    with CountedGateway(streams, gateway) as counted:
        counted.count_calls()
        counted.broadcast()
        return +counted.calls


def test_one_system_call_per_delivery() -> None:
    """A delivery is one send, and no other method of any socket is called."""
    assert calls_per_broadcast(Gateway, MANY) == {"send": MANY}


@pytest.mark.parametrize("worse", [SendsTwice, AsksEachSocket])
def test_more_system_calls_are_seen(worse: type[Gateway]) -> None:
    """The guard fails if a delivery makes more system calls."""
    assert calls_per_broadcast(worse, FEW).total() == 2 * FEW


def test_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event is encoded once for any number of streams."""
    with CountedGateway(MANY) as counted:
        noted = note_encodings(monkeypatch)
        counted.broadcast()
        assert len(noted) == 1


def test_more_encodings_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard fails if an event is encoded for each stream."""
    with CountedGateway(FEW, EncodesForEachStream) as counted:
        noted = note_encodings(monkeypatch)
        counted.broadcast()
        assert len(noted) == FEW


def log_records(records: CountingHandler, gateway: type[Gateway], streams: int) -> int:
    """Return the number of log records of one broadcast."""
    with CountedGateway(streams, gateway) as counted:
        before = records.count
        counted.broadcast()
        return records.count - before


def test_one_log_record_per_broadcast(records: CountingHandler) -> None:
    """Even at level DEBUG, a broadcast writes one log line."""
    assert log_records(records, Gateway, MANY) == 1


def test_more_log_records_are_seen(records: CountingHandler) -> None:
    """The guard fails if a log line is written for each stream."""
    assert log_records(records, LogsEachStream, FEW) == FEW + 1


def metric_calls(manager: type[ConnectionManager], streams: int) -> Counter[str]:
    """Return the calls of the metrics in one broadcast."""
    with CountedGateway(streams, manager=manager) as counted:
        counted.metrics.calls.clear()
        counted.broadcast()
        return counted.metrics.calls


def test_metrics_per_broadcast() -> None:
    """A broadcast is counted once as an event and once as a broadcast."""
    assert metric_calls(ConnectionManager, MANY) == {"event_sent": 1, "broadcast_finished": 1}


def test_more_metric_calls_are_seen() -> None:
    """The guard fails if the metrics are called for each stream."""
    assert metric_calls(CountsEachStream, FEW)["event_sent"] == FEW + 1


def calls_for_one_more(gateway: type[Gateway]) -> float:
    """Return the number of Python functions that a broadcast calls for one more stream."""
    counts = []
    for streams in (FEW, MANY):
        with CountedGateway(streams, gateway) as counted:
            counts.append(python_calls(counted))
    return (counts[1] - counts[0]) / (MANY - FEW)


def test_no_python_call_per_delivery() -> None:
    """A delivery calls no Python function; the few calls belong to the yields of a broadcast."""
    assert 0 < calls_for_one_more(Gateway) < 0.5


def test_more_python_calls_are_seen() -> None:
    """The guard fails if a delivery calls several Python functions."""
    assert calls_for_one_more(EncodesForEachStream) > 3
