"""gateway_shim.drain, through a gateway: the end of all streams at once."""

from __future__ import annotations

import time

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.callbacks import CallbackAnswer
from gateway_shim.errors import UnknownToken
from gateway_shim.wire import Dialect, Event
from tests.gateway_shim.rig import BIG, FakeClock, Rig
from tests.support.http_message import Ended
from tests.support.sse_client import SSEEvent
from tests.support.timing import TIME_LIMIT, wait_until

FAREWELL = Event("connection_close", '{"reason":"x"}')


def test_drain(rig: Rig) -> None:
    """Every stream gets its retry and the farewell as its last bytes, then ends cleanly."""
    opened = [rig.open(), rig.open(http_1_0=True)]
    for token, _ in opened:
        rig.gateway.send(token, Event("before", "1"))
    rig.gateway.drain(FAREWELL, TIME_LIMIT)
    assert rig.backend.reasons == {token: "server_closed" for token, _ in opened}
    for token, stream in opened:
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.events == [
            SSEEvent("before", "1"),
            SSEEvent("connection_close", '{"reason":"x"}'),
        ]
        assert stream.retry is not None
        assert 1000 <= stream.retry <= 11_000
        goodbye = b'retry: %d\n\nevent: connection_close\ndata: {"reason":"x"}\n\n' % stream.retry
        assert stream.raw.endswith(goodbye), "the retry first: the page may close at the event"
        with pytest.raises(UnknownToken):
            rig.gateway.send(token, Event(None, "late"))
    stats = rig.gateway.stats
    assert stats.active == 0
    assert stats.closed == {"client_closed": 0, "server_closed": 2, "error": 0}


def test_drain_without_farewell(rig: Rig) -> None:
    """With nothing to say, a stream still gets its retry."""
    _, stream = rig.open()
    rig.gateway.drain(None, TIME_LIMIT)
    assert stream.wait_for_end() is Ended.CLEAN
    assert stream.raw == b"retry: %d\n\n" % (stream.retry or 0)
    assert len(stream.chunks) == 1


def test_drain_in_envelope() -> None:
    """The farewell is written in the gateway's dialect."""
    with Rig(dialect=Dialect.ENVELOPE) as rig:
        _, stream = rig.open()
        rig.gateway.drain(FAREWELL, TIME_LIMIT)
        assert stream.wait_for_end() is Ended.CLEAN
        document = '{"type":"connection_close","payload":{"reason":"x"}}'
        assert stream.events == [SSEEvent("ready", ""), SSEEvent("message", document)]


def test_drain_of_nothing(rig: Rig) -> None:
    """Without streams a drain is over at once, and may be repeated."""
    started = time.monotonic()
    rig.gateway.drain(FAREWELL, TIME_LIMIT)
    rig.gateway.drain(FAREWELL, TIME_LIMIT)
    assert time.monotonic() - started < TIME_LIMIT / 2
    assert len(rig.backend.flushes) == 2


@pytest.mark.parametrize("spread", [0.0, 30.0])
def test_retries_are_spread(spread: float) -> None:
    """Browsers are told to come back over the configured time, from one second on."""
    with Rig(drain_retry_seconds=spread) as rig:
        streams = [rig.open()[1] for _ in range(40)]
        rig.gateway.drain(None, TIME_LIMIT)
        assert {stream.wait_for_end() for stream in streams} == {Ended.CLEAN}
        retries = {stream.retry or 0 for stream in streams}
        assert min(retries) >= 1000
        assert max(retries) <= 1000 + spread * 1000
        assert (len(retries) > 10) is (spread > 0)


def test_more_streams_than_one_turn(rig: Rig) -> None:
    """A drain of many streams lets others run on the way, and misses none of them."""
    opened = [rig.open() for _ in range(300)]
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
    with Rig(dialect=dialect) as rig:
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
        assert stream.retry is not None
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
    """From the start of a drain on, nobody comes in, and is told when to try again."""
    gate = Signal()
    rig.backend.during = lambda token: gate.wait()
    waiting = rig.visit()
    draining = gevent.spawn(rig.gateway.drain, FAREWELL, TIME_LIMIT)
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
    assert [event.type for event in stream.events] == ["big", "connection_close"]
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
