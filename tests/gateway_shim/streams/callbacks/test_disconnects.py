"""Telling the backend, in order, without holding anybody up."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.protocol import stream_request
from gateway_shim.protocol.callbacks import Reason
from gateway_shim.protocol.lifecycle import Stream
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.streams.callbacks.disconnects import Endings
from gateway_shim.streams.stats import GatewayStats
from tests.gateway_shim.fakes import FakeBackend
from tests.gateway_shim.hub_errors import HubErrors, soon
from tests.support.timing import TIME_LIMIT, Stopwatch


def stream(token: str) -> Stream:
    """A stream with a token."""
    request = stream_request.pack_request(StreamRequest("/u", {"host": "h"}, address="192.0.2.1"))
    return Stream(token, request, chunked=True, limit=0)


class Setup:
    """Endings that run, and their backend."""

    def __init__(self) -> None:
        self.backend = FakeBackend()
        self.stats = GatewayStats()
        self.endings = Endings(self.backend, self.stats)

    def add(self, token: str, reason: Reason = Reason.CLIENT_CLOSED) -> None:
        """One more ending."""
        self.endings.add(stream(token), reason)


@pytest.fixture
def setup() -> Iterator[Setup]:
    """Endings that run."""
    with HubErrors():
        setup = Setup()
        greenlet = gevent.spawn(setup.endings.run)
        yield setup
        greenlet.kill()


def test_payload(setup: Setup) -> None:
    """The backend is told the token, the reason and the request of the connect."""
    setup.add("t", Reason.ERROR)
    setup.endings.flush(TIME_LIMIT)
    assert setup.backend.calls == [
        {
            "action": "disconnect",
            "reason": "error",
            "token": "t",
            "request": {"url": "/u", "headers": {"host": "h"}},
        }
    ]
    assert setup.stats.callbacks_failed == 0


def test_order(setup: Setup) -> None:
    """Endings are told in their order, those too that come while one is being told."""

    def told(token: str) -> None:
        if token == "a":
            setup.add("c")
        gevent.sleep(0)

    setup.backend.told = told
    setup.add("a")
    setup.add("b")
    setup.endings.flush(TIME_LIMIT)
    assert list(setup.backend.reasons) == ["a", "b", "c"]


def test_many_let_others_run(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """When very many end at once, others run in between."""
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)
    turns = []

    def other() -> None:
        while True:
            turns.append(len(setup.backend.calls))
            gevent.sleep(0)

    for number in range(200):
        setup.add(str(number))
    greenlet = gevent.spawn(other)
    setup.endings.flush(TIME_LIMIT)
    greenlet.kill()
    assert list(setup.backend.reasons) == [str(number) for number in range(200)]
    assert len({turn for turn in turns if 0 < turn < 200}) >= 3


def test_failures_are_counted(setup: Setup) -> None:
    """Each callback that did not arrive counts, and the next one is tried all the same."""
    setup.backend.disconnects_fail = True
    setup.add("a")
    setup.add("b")
    setup.endings.flush(TIME_LIMIT)
    assert setup.stats.callbacks_failed == 2


def test_a_backend_that_is_too_slow(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    """The queue is bounded: the endings that have waited longest are left out, and counted."""
    endings = Endings(setup.backend, setup.stats, max_streams=20_000)
    for number in range(20_003):
        endings.add(stream(str(number)), Reason.CLIENT_CLOSED)
    assert setup.stats.callbacks_failed == 3
    greenlet = gevent.spawn(endings.run)
    endings.flush(TIME_LIMIT)
    greenlet.kill()
    assert list(setup.backend.reasons) == [str(number) for number in range(3, 20_003)]
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [vars(record)["left_out"] for record in warnings] == [3]


@pytest.mark.parametrize("max_streams", [None, 1, 10_000])
def test_all_streams_may_end_at_once(setup: Setup, max_streams: int | None) -> None:
    """As many endings as there can be streams fit into the queue, and at least 10,000."""
    endings = Endings(setup.backend, setup.stats, max_streams)
    for number in range(10_000):
        endings.add(stream(str(number)), Reason.SERVER_CLOSED)
    assert setup.stats.callbacks_failed == 0
    endings.add(stream("one more"), Reason.SERVER_CLOSED)
    assert setup.stats.callbacks_failed == 1


def test_add_from_the_hub(setup: Setup) -> None:
    """An ending may be added in the hub, where nothing may block."""
    gevent.get_hub().loop.run_callback(setup.add, "t")
    soon(lambda: setup.backend.reasons, "the backend to be told")
    assert setup.backend.reasons == {"t": "client_closed"}


def test_flush_of_nothing(setup: Setup) -> None:
    """With nothing to tell, a flush only asks the backend, also before and after others."""
    setup.endings.flush(0)
    setup.add("t")
    setup.endings.flush(TIME_LIMIT)
    setup.endings.flush(0)
    assert setup.backend.flushes == [0, TIME_LIMIT, 0]


def test_flush_waits(setup: Setup) -> None:
    """A flush ends when all has been told."""
    gate = Signal()
    setup.backend.told = lambda token: gate.wait()
    setup.add("t")
    flushing = gevent.spawn(setup.endings.flush, TIME_LIMIT)
    gevent.sleep(0.01)
    assert not flushing.ready()
    gate.set()
    flushing.get(timeout=TIME_LIMIT / 2)
    assert list(setup.backend.reasons) == ["t"]


@pytest.mark.parametrize("slow", ["telling", "flushing", "both"])
def test_flush_has_one_time_limit(setup: Setup, slow: str) -> None:
    """Telling and waiting for the answers share one time limit."""
    never: Callable[[object], object] = lambda _: gevent.sleep(3600)  # noqa: E731 - two of them
    if slow in ("telling", "both"):
        setup.backend.told = (lambda _: gevent.sleep(0.1)) if slow == "both" else never
    if slow in ("flushing", "both"):
        setup.backend.flush = never  # type: ignore[method-assign]
    setup.add("t")
    with Stopwatch() as watch:
        setup.endings.flush(0.15)
    assert watch.elapsed > 0.12
    assert watch.seconds < 0.24  # two limits, one after the other, would take 0.25


def test_what_a_flush_leaves_out(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    """The endings that the backend is not told of in time are counted, and said in one line."""
    setup.backend.told = lambda _: gevent.sleep(3600)
    for token in "abc":
        setup.add(token)
    setup.endings.flush(0.05)
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert [vars(record)["left_out"] for record in warnings] == [2]
    assert setup.stats.callbacks_failed == 2
