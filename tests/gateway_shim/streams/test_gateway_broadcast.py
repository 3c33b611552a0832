"""Broadcasts, to clients that read and clients that do not."""

from __future__ import annotations

import math
import socket
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.protocol import event_stream as wire
from gateway_shim.protocol.event_stream import Event
from gateway_shim.streams.gateway import BroadcastResult
from tests.gateway_shim.streams.rig import BIG, Rig, warnings_of
from tests.support.http.message import Ended
from tests.support.http.sse_parser import SSEEvent
from tests.support.timing import wait_until


def fill_with(sock: Any, piece: bytes) -> int:
    """Send whole pieces until the kernel takes no more; how many it took."""
    count = 0
    try:
        while True:
            assert sock.send(piece) == len(piece)
            count += 1
    except BlockingIOError:
        return count


def test_broadcast(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stream gets the event, encoded once; tokens that are not there are reported."""
    (a, one), (b, two) = rig.open(), rig.open(http_1_0=True)
    encoded = []
    encode = wire.encode

    def counting(event: Event, dialect: wire.Dialect) -> bytes:
        encoded.append(event)
        return encode(event, dialect)

    monkeypatch.setattr(wire, "encode", counting)
    event = Event("n", "1")
    result = rig.gateway.broadcast(["x", a, "y", b], event)
    assert result == BroadcastResult(delivered=2, unknown=("x", "y"))
    assert encoded == [event]
    assert [stream.next_event() for stream in (one, two)] == [SSEEvent("n", "1")] * 2
    assert (one.chunks, two.chunks) == ([b"event: n\ndata: 1\n\n"], [])
    assert rig.gateway.stats.broadcasts == 1


def test_broadcast_to_nobody(rig: Rig) -> None:
    """A broadcast without tokens delivers nothing."""
    assert rig.gateway.broadcast([], Event("n", "1")) == BroadcastResult(0, ())


def test_broadcast_write_fails(rig: Rig) -> None:
    """A stream whose write fails is not delivered to, and not unknown either: it has ended."""
    token, stream = rig.open()
    stream.connection.socket.shutdown(socket.SHUT_RDWR)
    assert rig.gateway.broadcast([token], Event(None, "x")) == BroadcastResult(0, ())
    assert rig.wait_reason(token) == "error"


@pytest.fixture
def every_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broadcast lets others run after every stream."""
    monkeypatch.setattr("gateway_shim.streams.gateway.YIELD_EVERY", 1)
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)


@pytest.mark.usefixtures("every_stream")
def test_broadcasts_take_turns(rig: Rig) -> None:
    """Concurrent broadcasts arrive in one order everywhere, though each yields on the way."""
    opened = [rig.open() for _ in range(10)]
    tokens = [token for token, _ in opened]

    def broadcast(source: str, names: list[str]) -> None:
        for number in range(5):
            result = rig.gateway.broadcast(names, Event(source, str(number)))
            assert result.delivered == 10
            gevent.sleep(0)

    # From both ends: without turns, the first stream would see another order than the last.
    orders_of_tokens = [tokens, tokens[::-1], tokens]
    senders = [gevent.spawn(broadcast, *pair) for pair in zip("abc", orders_of_tokens, strict=True)]
    gevent.joinall(senders, raise_error=True)
    rig.gateway.broadcast(tokens, Event("end", ""))
    orders = [
        [(event.type, event.data) for event in stream.collect_until("end")] for _, stream in opened
    ]
    assert all(order == orders[0] for order in orders)
    for source in "abc":
        mine = [data for name, data in orders[0] if name == source]
        assert mine == ["0", "1", "2", "3", "4"]
    assert rig.gateway.stats.broadcasts == 16


def test_broadcast_lets_others_run(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long broadcast does not hold the hub: others run before it is over."""
    monkeypatch.setattr("gateway_shim.streams.gateway.YIELD_EVERY", 3)
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", math.inf)
    tokens = [rig.open()[0] for _ in range(12)]
    turns = []

    def other() -> None:
        while True:
            turns.append(1)
            gevent.sleep(0)

    greenlet = gevent.spawn(other)
    try:
        rig.gateway.broadcast(tokens, Event(None, ""))
        assert turns == [], "one that is short needs no yield"
        monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)
        rig.gateway.broadcast(tokens, Event(None, ""))
        assert len(turns) >= 3
    finally:
        greenlet.kill()


def test_broadcasts_without_pause_take_turns(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever broadcasts again at once waits behind those who wait for their turn."""
    monkeypatch.setattr("gateway_shim.streams.gateway.YIELD_EVERY", 1)
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)
    tokens = [rig.open()[0] for _ in range(3)]
    order: list[str] = []

    def broadcast(name: str) -> None:
        for _ in range(10):
            rig.gateway.broadcast(tokens, Event(name, ""))
            order.append(name)

    gevent.joinall([gevent.spawn(broadcast, name) for name in "abc"], raise_error=True)
    assert all(sorted(order[n : n + 3]) == ["a", "b", "c"] for n in range(0, 27, 3))


@pytest.mark.usefixtures("every_stream")
def test_streams_end_during_a_broadcast(rig: Rig) -> None:
    """A stream that has ended when its turn comes is unknown, whichever way it ended."""
    opened = [rig.open() for _ in range(4)]
    tokens = [token for token, _ in opened]
    (_, first), (closed, second), (_, third), (left, fourth) = opened
    fourth.close()

    def end_two() -> None:
        rig.gateway.close(closed)
        rig.wait_reason(left)

    ending = gevent.spawn(end_two)
    result = rig.gateway.broadcast(tokens, Event(None, "late"))
    assert result == BroadcastResult(2, (closed, left))
    ending.get()
    assert second.wait_for_end() is Ended.CLEAN
    assert second.events == []
    assert [stream.next_event().data for stream in (first, third)] == ["late"] * 2


def test_stream_opens_during_a_broadcast(rig: Rig) -> None:
    """A stream whose backend is still being asked has the broadcast held back for it."""
    gate = Signal()
    rig.backend.during = lambda token: gate.wait()
    visit = rig.visit()
    assert rig.gateway.broadcast([visit.token], Event(None, "early")).delivered == 1
    gate.set()
    stream = visit.stream()
    assert rig.gateway.broadcast([visit.token], Event(None, "late")).delivered == 1
    assert [stream.next_event().data for _ in range(2)] == ["early", "late"]


def test_the_same_tuple_is_looked_up_once(rig: Rig) -> None:
    """A broadcast to the same tokens needs no look-up, until a stream comes or goes."""
    (a, one), (b, two) = rig.open(), rig.open()
    tokens = (a, b, "t3")
    event = Event(None, "x")
    assert rig.gateway.broadcast(tokens, event) == BroadcastResult(2, ("t3",))
    known = rig.gateway._streams.audience(tokens)
    assert rig.gateway.broadcast(tokens, event) == BroadcastResult(2, ("t3",))
    assert rig.gateway._streams.audience(tokens) is known
    _, three = rig.open()
    assert rig.gateway.broadcast(tokens, event) == BroadcastResult(3, ())
    known = rig.gateway._streams.audience(tokens)
    rig.gateway.close(a)
    assert rig.gateway._streams.audience(tokens) is not known, "it would keep the ended stream"
    assert rig.gateway.broadcast(tokens, event) == BroadcastResult(2, (a,))
    assert one.wait_for_end() is Ended.CLEAN
    assert len(one.events) == 3
    assert [two.next_event().data for _ in range(4)] == ["x"] * 4
    assert [three.next_event().data for _ in range(2)] == ["x"] * 2


def test_a_list_may_change(rig: Rig) -> None:
    """Tokens in a list are looked up each time: it may hold others by then."""
    (a, one), (b, two) = rig.open(), rig.open()
    tokens = [a]
    rig.gateway.broadcast(tokens, Event(None, "1"))
    tokens[0] = b
    rig.gateway.broadcast(tokens, Event(None, "2"))
    assert (one.next_event().data, two.next_event().data) == ("1", "2")


def test_slow_consumers_in_a_broadcast(caplog: pytest.LogCaptureFixture) -> None:
    """A broadcast ends those that are too slow, and reaches the others."""
    with Rig(max_buffer_bytes=1000) as rig:
        (slow, _), (quick, stream) = rig.open(send_buffer=4096), rig.open()
        results = []
        for number in range(100):
            results.append(rig.gateway.broadcast([slow, quick], Event(str(number), "x" * 200)))
            stream.wait_for(str(number))
        ended = results.index(BroadcastResult(1, ()))
        assert results == (
            [BroadcastResult(2, ())] * ended
            + [BroadcastResult(1, ())]
            + [BroadcastResult(1, (slow,))] * (99 - ended)
        )
        assert warnings_of(caplog) == [("slow consumer ended", slow)]
        assert rig.gateway.stats.slow_consumers_ended == 1
        assert rig.wait_reason(slow) == "error"


def test_one_event_beyond_the_bound_in_a_broadcast() -> None:
    """An event that is larger than the bound ends a client that takes only a part of it."""
    with Rig(max_buffer_bytes=1000) as rig:
        token, _ = rig.open()
        assert rig.gateway.broadcast([token], Event(None, BIG)) == BroadcastResult(0, ())
        assert rig.wait_reason(token) == "error"
        assert rig.gateway.stats.slow_consumers_ended == 1


def test_a_slow_client_gets_all_broadcasts_in_order(rig: Rig) -> None:
    """What a client has not taken waits, what is sent meanwhile waits behind it."""
    token, stream = rig.open()
    for round_ in ("a", "b"):  # caught up, it is written to directly again
        for number in range(4):
            event = Event(f"{round_}{number}", BIG)
            assert rig.gateway.broadcast([token], event) == BroadcastResult(1, ())
        assert rig.gateway.stats.bytes_buffered > 3 * len(BIG)
        events = stream.collect_until(f"{round_}3")
        assert [event.type for event in events] == [f"{round_}{number}" for number in range(4)]
        assert {len(event.data) for event in events} == {len(BIG)}
        wait_until(lambda: rig.gateway.stats.bytes_buffered == 0, "the outbox to be empty")


def test_the_kernel_takes_nothing_of_a_broadcast(rig: Rig) -> None:
    """An event of which the kernel takes no byte waits whole, and is delivered."""
    visit = rig.visit()
    stream = visit.stream()
    connection = rig.gateway._streams.by_token[visit.token]
    comments = fill_with(connection.direct, b"2\r\n:\n\r\n")
    assert rig.gateway.broadcast([visit.token], Event(None, "x")) == BroadcastResult(1, ())
    assert rig.gateway.stats.bytes_buffered == len(b"9\r\ndata: x\n\n\r\n")
    assert stream.next_event().data == "x"
    assert comments > 100


@pytest.mark.usefixtures("every_stream")
def test_killed_broadcast_lets_the_next_one_go(rig: Rig) -> None:
    """A broadcast that is killed on the way does not keep its turn."""
    killed = gevent.spawn(rig.gateway.broadcast, ["nobody"] * 10_000, Event(None, ""))
    gevent.sleep(0)
    killed.kill()
    token, _ = rig.open()
    assert rig.gateway.broadcast([token], Event(None, "")).delivered == 1
