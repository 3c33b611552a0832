"""A drain, through a gateway: the end of all streams at once."""

from __future__ import annotations

import time
from collections import Counter

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.errors import UnknownToken
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import BodyFraming, Dialect, Event, encode, with_retry
from gateway_shim.protocol.results import OpenResult
from gateway_shim.streams.drain import CONNECTS_PER_SECOND, FIRST_RETRY_MS, Farewells
from tests.gateway_shim.fakes import FakeClock
from tests.gateway_shim.running_gateway import BIG, RunningGateway
from tests.support.http.message import Ended
from tests.support.http.sse_parser import SSEEvent
from tests.support.timing import TIME_LIMIT, wait_until

FAREWELL = Event("server_restart", '{"reason":"x"}')


def test_drain(running: RunningGateway) -> None:
    """Every stream gets the farewell, with a retry inside its block, and ends cleanly."""
    opened = [running.open(), running.open(framing=BodyFraming.BARE)]
    for token, _ in opened:
        running.gateway.send(token, Event("before", "1"))
    running.gateway.drain(FAREWELL, TIME_LIMIT)
    assert running.backend.reasons == {token: "server_closed" for token, _ in opened}
    for token, stream in opened:
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.events == [
            SSEEvent("before", "1"),
            SSEEvent("server_restart", '{"reason":"x"}'),
        ]
        assert stream.retry is not None
        block = b'retry: %d\nevent: server_restart\ndata: {"reason":"x"}' % stream.retry
        assert stream.raw.split(b"\n\n")[1:] == [block, b""]
        with pytest.raises(UnknownToken):
            running.gateway.send(token, Event(None, "late"))
    stats = running.stats
    assert stats.active == 0
    assert stats.closed == Counter(server_closed=2)


def test_drain_without_farewell(running: RunningGateway) -> None:
    """Without a farewell a stream just ends: some clients take a retry alone for an event."""
    gate = Signal()
    _, stream = running.open()
    running.backend.during = lambda token: gate.wait()
    connecting = running.visit()
    draining = gevent.spawn(running.gateway.drain, None, TIME_LIMIT)
    assert stream.wait_for_end() is Ended.CLEAN
    gate.set()
    late = connecting.stream()
    assert late.wait_for_end() is Ended.CLEAN
    assert stream.raw == late.raw == b""
    draining.get(timeout=TIME_LIMIT)


def test_drain_in_envelope() -> None:
    """The farewell is written in the gateway's dialect."""
    with RunningGateway(dialect=Dialect.ENVELOPE) as running:
        _, stream = running.open()
        running.gateway.drain(FAREWELL, TIME_LIMIT)
        assert stream.wait_for_end() is Ended.CLEAN
        document = '{"type":"server_restart","payload":{"reason":"x"}}'
        assert stream.events == [SSEEvent("ready", ""), SSEEvent("message", document)]
        block = b"retry: %d\ndata: %b" % (stream.retry or 0, document.encode())
        assert stream.raw.split(b"\n\n")[1:] == [block, b""]


def test_drain_of_nothing(running: RunningGateway) -> None:
    """Without streams a drain is over at once, and may be repeated."""
    started = time.monotonic()
    running.gateway.drain(FAREWELL, TIME_LIMIT)
    running.gateway.drain(FAREWELL, TIME_LIMIT)
    assert time.monotonic() - started < TIME_LIMIT / 2
    assert len(running.backend.flushes) == 2


@pytest.mark.parametrize("spread", [0.005, 30.0])
def test_retries_are_spread(spread: float) -> None:
    """The pauses are spread over the time that so many browsers need to connect."""
    with RunningGateway(drain_retry_seconds=spread) as running:
        streams = [running.open()[1] for _ in range(40)]
        running.gateway.drain(FAREWELL, TIME_LIMIT)
        assert {stream.wait_for_end() for stream in streams} == {Ended.CLEAN}
        retries = {stream.retry or 0 for stream in streams}
        assert min(retries) >= FIRST_RETRY_MS
        assert max(retries) <= FIRST_RETRY_MS + min(spread, 40 / CONNECTS_PER_SECOND) * 1000
        assert len(retries) > 1


@pytest.mark.parametrize(
    ("streams", "spread", "last"),
    [(0, 10.0, 0), (2, 10.0, 2), (1000, 10.0, 1000), (1000, 0.5, 500), (50_000, 10.0, 10_000)],
)
def test_farewells(streams: int, spread: float, last: int) -> None:
    """The pauses lie between the first and the smaller of the setting and the browsers' time."""
    event = encode(FAREWELL, Dialect.NAMED)
    farewells = Farewells(event, streams, spread)
    drawn = {farewells.draw() for _ in range(5000)}
    pauses = {frame.bare.removesuffix(event).decode() for frame in drawn}
    assert all(pause.startswith("retry: ") and pause.endswith("\n") for pause in pauses)
    numbers = sorted(int(pause.removeprefix("retry: ")) for pause in pauses)
    assert numbers[0] == FIRST_RETRY_MS > 0
    assert last * 63 / 64 - 1 <= numbers[-1] - FIRST_RETRY_MS <= last
    assert len(numbers) <= 64


def test_more_streams_than_one_turn(
    running: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A drain of many streams lets others run on the way, and misses no stream."""
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)
    opened = [running.open() for _ in range(30)]
    goner, _ = opened[-1]
    gevent.spawn(running.gateway.close, goner)
    running.gateway.drain(FAREWELL, TIME_LIMIT)
    for token, stream in opened:
        assert stream.wait_for_end() is Ended.CLEAN
        assert len(stream.events) == (token != goner)
    assert running.backend.reasons == {token: "server_closed" for token, _ in opened}


@pytest.mark.parametrize("dialect", Dialect)
def test_connecting_streams_too(dialect: Dialect) -> None:
    """A connecting stream opens, gets its held events and the farewell, and ends."""
    with RunningGateway(dialect=dialect, retry_ms=3000) as running:
        gate = Signal()
        running.backend.during = lambda token: gate.wait()
        visit = running.visit()
        running.gateway.send(visit.token, Event(None, "buffered"))
        draining = gevent.spawn(running.gateway.drain, Event(None, "farewell"), TIME_LIMIT)
        gevent.sleep(0)
        running.gateway.send(visit.token, Event(None, "too late"))
        assert not draining.ready()
        gate.set()
        stream = visit.stream()
        assert stream.wait_for_end() is Ended.CLEAN
        assert [event.data for event in stream.events] == ["buffered", "farewell"]
        retry = b"retry: %d\n" % (stream.retry or 0)
        assert stream.raw == b"retry: 3000\ndata: buffered\n\n" + retry + b"data: farewell\n\n"
        draining.get(timeout=TIME_LIMIT)
        assert running.backend.reasons == {visit.token: "server_closed"}


def test_connecting_stream_is_refused_meanwhile(running: RunningGateway) -> None:
    """A stream that the backend refuses during a drain is refused as usual."""
    gate = Signal()
    running.backend.during = lambda token: gate.wait()
    running.backend.answer = CallbackAnswer(404)
    visit = running.visit()
    draining = gevent.spawn(running.gateway.drain, FAREWELL, TIME_LIMIT)
    gevent.sleep(0)
    gate.set()
    refusal = visit.refusal()
    assert refusal.status == 404
    draining.get(timeout=TIME_LIMIT)


def test_connecting_stream_that_overflows() -> None:
    """A stream that may not hold the farewell ends without it."""
    with RunningGateway(max_buffer_bytes=40) as running:
        gate = Signal()
        running.backend.during = lambda token: gate.wait()
        visit = running.visit()
        draining = gevent.spawn(running.gateway.drain, FAREWELL, TIME_LIMIT)
        gevent.sleep(0)
        gate.set()
        assert visit.outcome() is OpenResult.OPENED
        assert visit.client.wait_closed() is Ended.EOF
        draining.get(timeout=TIME_LIMIT)
        assert running.backend.reasons == {visit.token: "error"}


def test_new_streams_are_refused(running: RunningGateway) -> None:
    """Without a farewell, requests during a drain get a 503 with Retry-After."""
    gate = Signal()
    running.backend.during = lambda token: gate.wait()
    waiting = running.visit()
    draining = gevent.spawn(running.gateway.drain, None, TIME_LIMIT)
    gevent.sleep(0)
    refusal = running.visit().refusal()
    assert (refusal.status, refusal.headers) == (503, (("Retry-After", "5"),))
    assert b"SHUTTING_DOWN" in refusal.body
    assert len(running.backend.calls) == 1
    gate.set()
    waiting.outcome()
    draining.get(timeout=TIME_LIMIT)
    refusal = running.visit().refusal()
    assert refusal.status == 503


@pytest.mark.parametrize("framing", BodyFraming)
@pytest.mark.parametrize("dialect", Dialect)
def test_new_streams_get_the_farewell(dialect: Dialect, framing: BodyFraming) -> None:
    """A request during a drain gets the farewell alone: an EventSource dies of a 503."""
    with RunningGateway(dialect=dialect, retry_ms=3000) as running:
        gate = Signal()
        running.backend.during = lambda token: gate.wait()
        waiting = running.visit()
        draining = gevent.spawn(running.gateway.drain, FAREWELL, TIME_LIMIT)
        gevent.sleep(0)
        late = running.visit(framing=framing).stream(OpenResult.DRAINING)
        assert late.wait_for_end() is Ended.CLEAN
        assert late.retry in (FIRST_RETRY_MS, FIRST_RETRY_MS + 1)  # one stream: 1 ms of spread
        assert late.raw == with_retry(encode(FAREWELL, dialect), late.retry)
        assert len(running.backend.calls) == 1
        assert (running.stats.refused, running.stats.active) == (1, 1)
        gate.set()
        waiting.outcome()
        draining.get(timeout=TIME_LIMIT)
        last = running.visit().stream(OpenResult.DRAINING)
        assert last.wait_for_end() is Ended.CLEAN
        assert running.backend.reasons == {waiting.token: "server_closed"}


def test_deadline_cuts_the_stalled() -> None:
    """At the deadline stalled and connecting streams are cut."""
    clock = FakeClock()
    with RunningGateway(clock=clock) as running:
        gate = Signal()
        reading, stream = running.open()
        stalled, slow = running.open(send_buffer=4096)
        running.gateway.send(stalled, Event(None, BIG))
        running.backend.during = lambda token: gate.wait()
        connecting = running.visit()
        draining = gevent.spawn(running.gateway.drain, FAREWELL, 5.0)
        assert stream.wait_for_end() is Ended.CLEAN
        clock.now += 4.9
        gevent.sleep(0.05)
        assert not draining.ready()
        clock.now += 0.2
        draining.get(timeout=TIME_LIMIT)
        assert running.backend.reasons == {reading: "server_closed", stalled: "server_closed"}
        assert (running.stats.active, len(running.gateway._streams.closing)) == (0, 0)
        assert slow.wait_for_end() is Ended.EOF
        with pytest.raises(UnknownToken):
            running.gateway.send(connecting.token, Event(None, "x"))
        gate.set()
        assert connecting.outcome() is OpenResult.ABANDONED
        assert connecting.client.wait_closed() is Ended.EOF
        assert connecting.token not in running.backend.reasons


def test_slow_reader_makes_it_in_time(running: RunningGateway) -> None:
    """A drain waits for a slow client, and ends as soon as the client has read everything."""
    token, stream = running.open()
    running.gateway.send(token, Event("big", BIG))
    draining = gevent.spawn(running.gateway.drain, FAREWELL, TIME_LIMIT)
    gevent.sleep(0.05)
    assert not draining.ready()
    assert stream.wait_for_end() is Ended.CLEAN
    assert [event.type for event in stream.events] == ["big", "server_restart"]
    draining.get(timeout=TIME_LIMIT / 2)


def test_backend_is_told_before_it_returns(running: RunningGateway) -> None:
    """A drain returns when the backend has answered the callbacks of all ends."""
    told = Signal()
    running.backend.told = lambda token: told.wait()
    opened = [running.open() for _ in range(3)]
    draining = gevent.spawn(running.gateway.drain, FAREWELL, TIME_LIMIT)
    for _, stream in opened:
        assert stream.wait_for_end() is Ended.CLEAN
    gevent.sleep(0.05)
    assert not draining.ready()
    assert running.backend.flushes == []
    told.set()
    draining.get(timeout=TIME_LIMIT)
    assert set(running.backend.reasons) == {token for token, _ in opened}
    (left,) = running.backend.flushes
    assert 0 < left < TIME_LIMIT


def test_backend_that_hangs(running: RunningGateway) -> None:
    """A backend that never answers delays a drain until its deadline, and not longer."""
    running.backend.told = lambda token: gevent.sleep(3600)
    _, stream = running.open()
    started = time.monotonic()
    running.gateway.drain(FAREWELL, 0.2)
    assert 0.15 < time.monotonic() - started < TIME_LIMIT / 2
    assert stream.wait_for_end() is Ended.CLEAN


def test_client_that_leaves_during_a_drain(running: RunningGateway) -> None:
    """A client that leaves with unread bytes does not delay a drain."""
    token, stream = running.open()
    running.gateway.send(token, Event(None, BIG))
    draining = gevent.spawn(running.gateway.drain, FAREWELL, TIME_LIMIT)
    wait_until(lambda: running.gateway._streams.closing, "the drain to begin")
    stream.close()
    draining.get(timeout=TIME_LIMIT / 2)
    assert running.backend.reasons == {token: "server_closed"}
