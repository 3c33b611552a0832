"""gateway_shim.streams.drain, through a gateway: the end of all streams at once."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.errors import UnknownToken
from gateway_shim.protocol import event_stream as wire
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Dialect, Event
from gateway_shim.streams.drain import CONNECTS_PER_SECOND, FIRST_RETRY_MS, Farewells
from tests.gateway_shim.streams.rig import BIG, FakeClock, Rig
from tests.support.http.message import Ended
from tests.support.http.sse_parser import SSEEvent
from tests.support.timing import TIME_LIMIT, wait_until

FAREWELL = Event("server_restart", '{"reason":"x"}')


def test_drain(rig: Rig) -> None:
    """Every stream gets the farewell, with a retry inside its block, and ends cleanly."""
    opened = [rig.open(), rig.open(http_1_0=True)]
    for token, _ in opened:
        rig.gateway.send(token, Event("before", "1"))
    rig.gateway.drain(FAREWELL, TIME_LIMIT)
    assert rig.backend.reasons == {token: "server_closed" for token, _ in opened}
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
            rig.gateway.send(token, Event(None, "late"))
    stats = rig.gateway.stats
    assert stats.active == 0
    assert stats.closed == {"client_closed": 0, "server_closed": 2, "error": 0}


def test_drain_without_farewell(rig: Rig) -> None:
    """With nothing to say, a stream just ends: a retry alone would be an event to some clients."""
    gate = Signal()
    _, stream = rig.open()
    rig.backend.during = lambda token: gate.wait()
    connecting = rig.visit()
    draining = gevent.spawn(rig.gateway.drain, None, TIME_LIMIT)
    assert stream.wait_for_end() is Ended.CLEAN
    gate.set()
    late = connecting.stream()
    assert late.wait_for_end() is Ended.CLEAN
    assert stream.raw == late.raw == b""
    draining.get(timeout=TIME_LIMIT)


def test_drain_in_envelope() -> None:
    """The farewell is written in the gateway's dialect."""
    with Rig(dialect=Dialect.ENVELOPE) as rig:
        _, stream = rig.open()
        rig.gateway.drain(FAREWELL, TIME_LIMIT)
        assert stream.wait_for_end() is Ended.CLEAN
        document = '{"type":"server_restart","payload":{"reason":"x"}}'
        assert stream.events == [SSEEvent("ready", ""), SSEEvent("message", document)]
        block = b"retry: %d\ndata: %b" % (stream.retry or 0, document.encode())
        assert stream.raw.split(b"\n\n")[1:] == [block, b""]


def test_drain_of_nothing(rig: Rig) -> None:
    """Without streams a drain is over at once, and may be repeated."""
    started = time.monotonic()
    rig.gateway.drain(FAREWELL, TIME_LIMIT)
    rig.gateway.drain(FAREWELL, TIME_LIMIT)
    assert time.monotonic() - started < TIME_LIMIT / 2
    assert len(rig.backend.flushes) == 2


@pytest.mark.parametrize("spread", [0.005, 30.0])
def test_retries_are_spread(spread: float) -> None:
    """Few browsers are not kept away: the spread is the time in which they can connect."""
    with Rig(drain_retry_seconds=spread) as rig:
        streams = [rig.open()[1] for _ in range(40)]
        rig.gateway.drain(FAREWELL, TIME_LIMIT)
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
    """The pauses lie between the first one and the smaller of setting and streams a second."""
    event = wire.encode(FAREWELL, Dialect.NAMED)
    farewells = Farewells(event, streams, spread)
    drawn = {farewells.draw() for _ in range(5000)}
    pauses = {frame.bare.removesuffix(event).decode() for frame in drawn}
    assert all(pause.startswith("retry: ") and pause.endswith("\n") for pause in pauses)
    numbers = sorted(int(pause.removeprefix("retry: ")) for pause in pauses)
    assert numbers[0] == FIRST_RETRY_MS > 0
    assert last * 63 / 64 - 1 <= numbers[-1] - FIRST_RETRY_MS <= last
    assert len(numbers) <= 64


def test_more_streams_than_one_turn(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain of many streams lets others run on the way, and misses none of them."""
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)
    opened = [rig.open() for _ in range(30)]
    goner, _ = opened[-1]
    gevent.spawn(rig.gateway.close, goner)
    rig.gateway.drain(FAREWELL, TIME_LIMIT)
    for token, stream in opened:
        assert stream.wait_for_end() is Ended.CLEAN
        assert len(stream.events) == (token != goner)
    assert rig.backend.reasons == {token: "server_closed" for token, _ in opened}


@pytest.mark.parametrize("dialect", Dialect)
def test_connecting_streams_too(dialect: Dialect) -> None:
    """A stream that is being asked about opens, gets what was buffered, the farewell, and ends."""
    with Rig(dialect=dialect, retry_ms=3000) as rig:
        gate = Signal()
        rig.backend.during = lambda token: gate.wait()
        visit = rig.visit()
        rig.gateway.send(visit.token, Event(None, "buffered"))
        draining = gevent.spawn(rig.gateway.drain, Event(None, "farewell"), TIME_LIMIT)
        gevent.sleep(0)
        rig.gateway.send(visit.token, Event(None, "too late"))
        assert not draining.ready()
        gate.set()
        stream = visit.stream()
        assert stream.wait_for_end() is Ended.CLEAN
        assert [event.data for event in stream.events] == ["buffered", "farewell"]
        retry = b"retry: %d\n" % (stream.retry or 0)
        assert stream.raw == b"retry: 3000\ndata: buffered\n\n" + retry + b"data: farewell\n\n"
        draining.get(timeout=TIME_LIMIT)
        assert rig.backend.reasons == {visit.token: "server_closed"}


def test_connecting_stream_is_refused_meanwhile(rig: Rig) -> None:
    """A stream that the backend refuses during a drain is refused as ever."""
    gate = Signal()
    rig.backend.during = lambda token: gate.wait()
    rig.backend.answer = CallbackAnswer(404)
    visit = rig.visit()
    draining = gevent.spawn(rig.gateway.drain, FAREWELL, TIME_LIMIT)
    gevent.sleep(0)
    gate.set()
    refusal = visit.outcome()
    assert refusal is not None
    assert refusal.status == 404
    draining.get(timeout=TIME_LIMIT)


def test_connecting_stream_that_holds_too_much() -> None:
    """A stream for which the farewell is too much ends without it."""
    with Rig(max_buffer_bytes=40) as rig:
        gate = Signal()
        rig.backend.during = lambda token: gate.wait()
        visit = rig.visit()
        draining = gevent.spawn(rig.gateway.drain, FAREWELL, TIME_LIMIT)
        gevent.sleep(0)
        gate.set()
        assert visit.outcome() is None
        assert visit.client.wait_closed() is Ended.EOF
        draining.get(timeout=TIME_LIMIT)
        assert rig.backend.reasons == {visit.token: "error"}


def test_new_streams_are_refused(rig: Rig) -> None:
    """Without a farewell, who comes during a drain is told when to try again."""
    gate = Signal()
    rig.backend.during = lambda token: gate.wait()
    waiting = rig.visit()
    draining = gevent.spawn(rig.gateway.drain, None, TIME_LIMIT)
    gevent.sleep(0)
    refusal = rig.visit().outcome()
    assert refusal is not None
    assert (refusal.status, refusal.headers) == (503, (("Retry-After", "5"),))
    assert b"SHUTTING_DOWN" in refusal.body
    assert len(rig.backend.calls) == 1
    gate.set()
    waiting.outcome()
    draining.get(timeout=TIME_LIMIT)
    refusal = rig.visit().outcome()
    assert refusal is not None
    assert refusal.status == 503


@pytest.mark.parametrize("http_1_0", [False, True])
@pytest.mark.parametrize("dialect", Dialect)
def test_new_streams_get_the_farewell(dialect: Dialect, http_1_0: bool) -> None:
    """Who comes during a drain with a farewell gets just that: after a 503 an EventSource is dead.

    The backend is not asked, and the stream counts as refused.
    """
    with Rig(dialect=dialect, retry_ms=3000) as rig:
        gate = Signal()
        rig.backend.during = lambda token: gate.wait()
        waiting = rig.visit()
        draining = gevent.spawn(rig.gateway.drain, FAREWELL, TIME_LIMIT)
        gevent.sleep(0)
        late = rig.visit(http_1_0=http_1_0).stream()
        assert late.wait_for_end() is Ended.CLEAN
        assert late.retry in (FIRST_RETRY_MS, FIRST_RETRY_MS + 1)  # one stream: 1 ms of spread
        assert late.raw == wire.with_retry(wire.encode(FAREWELL, dialect), late.retry)
        assert len(rig.backend.calls) == 1
        assert (rig.gateway.stats.refused, rig.gateway.stats.active) == (1, 1)
        gate.set()
        waiting.outcome()
        draining.get(timeout=TIME_LIMIT)
        assert rig.visit().stream().wait_for_end() is Ended.CLEAN
        assert rig.backend.reasons == {waiting.token: "server_closed"}


def test_deadline_cuts_the_stalled() -> None:
    """What has not ended by the deadline is cut: who does not read, and who still connects."""
    clock = FakeClock()
    with Rig(clock=clock) as rig:
        gate = Signal()
        reading, stream = rig.open()
        stalled, slow = rig.open(send_buffer=4096)
        rig.gateway.send(stalled, Event(None, BIG))
        rig.backend.during = lambda token: gate.wait()
        connecting = rig.visit()
        draining = gevent.spawn(rig.gateway.drain, FAREWELL, 5.0)
        assert stream.wait_for_end() is Ended.CLEAN
        clock.now += 4.9
        gevent.sleep(0.05)
        assert not draining.ready()
        clock.now += 0.2
        draining.get(timeout=TIME_LIMIT)
        assert rig.backend.reasons == {reading: "server_closed", stalled: "server_closed"}
        assert (rig.gateway.stats.active, len(rig.gateway._streams.closing)) == (0, 0)
        assert slow.wait_for_end() is Ended.EOF
        with pytest.raises(UnknownToken):
            rig.gateway.send(connecting.token, Event(None, "x"))
        gate.set()
        assert connecting.outcome() is None
        assert connecting.client.wait_closed() is Ended.EOF
        assert connecting.token not in rig.backend.reasons


def test_slow_reader_makes_it_in_time(rig: Rig) -> None:
    """A drain waits for a client that takes its time, and ends as soon as it is through."""
    token, stream = rig.open()
    rig.gateway.send(token, Event("big", BIG))
    draining = gevent.spawn(rig.gateway.drain, FAREWELL, TIME_LIMIT)
    gevent.sleep(0.05)
    assert not draining.ready()
    assert stream.wait_for_end() is Ended.CLEAN
    assert [event.type for event in stream.events] == ["big", "server_restart"]
    draining.get(timeout=TIME_LIMIT / 2)


def test_backend_is_told_before_it_returns(rig: Rig) -> None:
    """A drain returns when the backend has been told of every end, and has answered."""
    told = Signal()
    rig.backend.told = lambda token: told.wait()
    opened = [rig.open() for _ in range(3)]
    draining = gevent.spawn(rig.gateway.drain, FAREWELL, TIME_LIMIT)
    for _, stream in opened:
        assert stream.wait_for_end() is Ended.CLEAN
    gevent.sleep(0.05)
    assert not draining.ready()
    assert rig.backend.flushes == []
    told.set()
    draining.get(timeout=TIME_LIMIT)
    assert set(rig.backend.reasons) == {token for token, _ in opened}
    (left,) = rig.backend.flushes
    assert 0 < left < TIME_LIMIT


def test_backend_that_hangs(rig: Rig) -> None:
    """A backend that never answers holds a drain up until its deadline, and no longer."""
    rig.backend.told = lambda token: gevent.sleep(3600)
    _, stream = rig.open()
    started = time.monotonic()
    rig.gateway.drain(FAREWELL, 0.2)
    assert 0.15 < time.monotonic() - started < TIME_LIMIT / 2
    assert stream.wait_for_end() is Ended.CLEAN


def test_client_that_leaves_during_a_drain(rig: Rig) -> None:
    """A client that goes with its last bytes unread does not hold up the drain."""
    token, stream = rig.open()
    rig.gateway.send(token, Event(None, BIG))
    draining = gevent.spawn(rig.gateway.drain, FAREWELL, TIME_LIMIT)
    wait_until(lambda: rig.gateway._streams.closing, "the drain to begin")
    stream.close()
    draining.get(timeout=TIME_LIMIT / 2)
    assert rig.backend.reasons == {token: "server_closed"}
