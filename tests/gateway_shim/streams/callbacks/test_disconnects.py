"""The queue of disconnect callbacks: in order, and without delaying others."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.protocol import stream_request
from gateway_shim.protocol.callbacks import Reason
from gateway_shim.protocol.event_stream import BodyFraming
from gateway_shim.protocol.stream import Stream
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.callbacks.disconnects import Disconnects
from gateway_shim.streams.stats import GatewayStats
from tests.gateway_shim.fakes import FakeBackend
from tests.gateway_shim.hub_errors import HubErrors, soon
from tests.support.timing import TIME_LIMIT, Stopwatch


def stream(token: str) -> Stream:
    """Make a stream with a token."""
    request = stream_request.pack_request(StreamRequest("/u", {"host": "h"}, address="192.0.2.1"))
    return Stream(token, request, framing=BodyFraming.CHUNKED, limit=0)


class RunningDisconnects:
    """A running queue of disconnect callbacks, and its backend."""

    def __init__(self) -> None:
        self.backend = FakeBackend()
        self.stats = GatewayStats()
        self.disconnects = Disconnects(self.backend, self.stats)

    def add(self, token: str, reason: Reason = Reason.CLIENT_CLOSED) -> None:
        """Add the end of a stream."""
        self.disconnects.add(stream(token), reason)


@pytest.fixture
def running_disconnects() -> Iterator[RunningDisconnects]:
    """Run a queue of disconnect callbacks."""
    with HubErrors():
        running_disconnects = RunningDisconnects()
        greenlet = gevent.spawn(running_disconnects.disconnects.run)
        yield running_disconnects
        greenlet.kill()


def test_payload(running_disconnects: RunningDisconnects) -> None:
    """The backend is told the token, the reason and the request of the connect."""
    running_disconnects.add("t", Reason.ERROR)
    running_disconnects.disconnects.flush(TIME_LIMIT)
    assert running_disconnects.backend.calls == [
        {
            "action": "disconnect",
            "reason": "error",
            "token": "t",
            "request": {"url": "/u", "headers": {"host": "h"}},
        }
    ]
    assert running_disconnects.stats.callbacks_failed == 0


def test_order(running_disconnects: RunningDisconnects) -> None:
    """The backend is told of ends in their order, also of those that come meanwhile."""

    def told(token: str) -> None:
        if token == "a":
            running_disconnects.add("c")
        gevent.sleep(0)

    running_disconnects.backend.told = told
    running_disconnects.add("a")
    running_disconnects.add("b")
    running_disconnects.disconnects.flush(TIME_LIMIT)
    assert list(running_disconnects.backend.reasons) == ["a", "b", "c"]


def test_many_let_others_run(
    running_disconnects: RunningDisconnects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others run while the backend is told of many ends."""
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)
    turns = []

    def other() -> None:
        while True:
            turns.append(len(running_disconnects.backend.calls))
            gevent.sleep(0)

    for number in range(200):
        running_disconnects.add(str(number))
    greenlet = gevent.spawn(other)
    running_disconnects.disconnects.flush(TIME_LIMIT)
    greenlet.kill()
    assert list(running_disconnects.backend.reasons) == [str(number) for number in range(200)]
    assert len({turn for turn in turns if 0 < turn < 200}) >= 3


def test_failures_are_counted(running_disconnects: RunningDisconnects) -> None:
    """Each callback that does not arrive is counted, and the next one is sent."""
    running_disconnects.backend.disconnects_fail = True
    running_disconnects.add("a")
    running_disconnects.add("b")
    running_disconnects.disconnects.flush(TIME_LIMIT)
    assert running_disconnects.stats.callbacks_failed == 2


def test_a_backend_that_is_too_slow(
    running_disconnects: RunningDisconnects, caplog: pytest.LogCaptureFixture
) -> None:
    """The ends that have waited longest are left out of a full queue, and counted."""
    disconnects = Disconnects(
        running_disconnects.backend, running_disconnects.stats, max_streams=20_000
    )
    for number in range(20_003):
        disconnects.add(stream(str(number)), Reason.CLIENT_CLOSED)
    assert running_disconnects.stats.callbacks_failed == 3
    greenlet = gevent.spawn(disconnects.run)
    disconnects.flush(TIME_LIMIT)
    greenlet.kill()
    assert list(running_disconnects.backend.reasons) == [str(number) for number in range(3, 20_003)]
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [vars(record)["left_out"] for record in warnings] == [3]


@pytest.mark.parametrize("max_streams", [None, 1, 10_000])
def test_all_streams_may_end_at_once(
    running_disconnects: RunningDisconnects, max_streams: int | None
) -> None:
    """The queue holds an end for each stream that may be open, and at least 10,000."""
    disconnects = Disconnects(running_disconnects.backend, running_disconnects.stats, max_streams)
    for number in range(10_000):
        disconnects.add(stream(str(number)), Reason.SERVER_CLOSED)
    assert running_disconnects.stats.callbacks_failed == 0
    disconnects.add(stream("one more"), Reason.SERVER_CLOSED)
    assert running_disconnects.stats.callbacks_failed == 1


def test_add_from_the_hub(running_disconnects: RunningDisconnects) -> None:
    """An end may be added in the hub, where nothing may block."""
    gevent.get_hub().loop.run_callback(running_disconnects.add, "t")
    soon(lambda: running_disconnects.backend.reasons, "the backend to be told")
    assert running_disconnects.backend.reasons == {"t": "client_closed"}


def test_flush_of_nothing(running_disconnects: RunningDisconnects) -> None:
    """A flush of an empty queue flushes the backend."""
    running_disconnects.disconnects.flush(0)
    running_disconnects.add("t")
    running_disconnects.disconnects.flush(TIME_LIMIT)
    running_disconnects.disconnects.flush(0)
    assert running_disconnects.backend.flushes == [0, TIME_LIMIT, 0]


def test_flush_waits(running_disconnects: RunningDisconnects) -> None:
    """A flush returns when the backend has been told of all ends."""
    gate = Signal()
    running_disconnects.backend.told = lambda token: gate.wait()
    running_disconnects.add("t")
    flushing = gevent.spawn(running_disconnects.disconnects.flush, TIME_LIMIT)
    gevent.sleep(0.01)
    assert not flushing.ready()
    gate.set()
    flushing.get(timeout=TIME_LIMIT / 2)
    assert list(running_disconnects.backend.reasons) == ["t"]


@pytest.mark.parametrize("slow", ["telling", "flushing", "both"])
def test_flush_has_one_time_limit(running_disconnects: RunningDisconnects, slow: str) -> None:
    """The callbacks and the backend's flush share one time limit."""
    never: Callable[[object], object] = lambda _: gevent.sleep(3600)  # noqa: E731 - two of them
    if slow in ("telling", "both"):
        running_disconnects.backend.told = (
            (lambda _: gevent.sleep(0.1)) if slow == "both" else never
        )
    if slow in ("flushing", "both"):
        running_disconnects.backend.flush = never  # type: ignore[method-assign]
    running_disconnects.add("t")
    with Stopwatch() as watch:
        running_disconnects.disconnects.flush(0.15)
    assert watch.elapsed > 0.12
    assert watch.seconds < 0.24  # two limits, one after the other, would take 0.25


def test_ends_that_a_flush_leaves_out(
    running_disconnects: RunningDisconnects, caplog: pytest.LogCaptureFixture
) -> None:
    """The ends that are still in the queue after a flush are counted, and logged in one line."""
    running_disconnects.backend.told = lambda _: gevent.sleep(3600)
    for token in "abc":
        running_disconnects.add(token)
    running_disconnects.disconnects.flush(0.05)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [vars(record)["left_out"] for record in warnings] == [2]
    assert running_disconnects.stats.callbacks_failed == 2
