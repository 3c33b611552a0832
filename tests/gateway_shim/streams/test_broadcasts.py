"""Broadcasts, to clients that read and clients that do not."""

from __future__ import annotations

import math

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.protocol import event_stream
from gateway_shim.protocol.event_stream import BodyFraming, Event
from gateway_shim.streams.gateway import BroadcastResult
from tests.gateway_shim.running_gateway import RunningGateway
from tests.support.http.message import Ended
from tests.support.http.sse_parser import SSEEvent


def test_broadcast(running: RunningGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every stream gets the event, which is encoded once; unknown tokens are reported."""
    (a, one), (b, two) = running.open(), running.open(framing=BodyFraming.BARE)
    encoded = []
    encode = event_stream.encode

    def counting(event: Event, dialect: event_stream.Dialect) -> bytes:
        encoded.append(event)
        return encode(event, dialect)

    monkeypatch.setattr(event_stream, "encode", counting)
    event = Event("n", "1")
    result = running.gateway.broadcast(["x", a, "y", b], event)
    assert result == BroadcastResult(delivered=2, unknown=("x", "y"))
    assert encoded == [event]
    assert [stream.next_event() for stream in (one, two)] == [SSEEvent("n", "1")] * 2
    assert (one.chunks, two.chunks) == ([b"event: n\ndata: 1\n\n"], [])
    assert running.stats.broadcasts == 1


def test_broadcast_to_nobody(running: RunningGateway) -> None:
    """A broadcast without tokens delivers nothing."""
    assert running.gateway.broadcast([], Event("n", "1")) == BroadcastResult(0, ())


@pytest.fixture
def every_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a broadcast let others run after every stream."""
    monkeypatch.setattr("gateway_shim.streams.broadcasts.YIELD_EVERY", 1)
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)


@pytest.mark.usefixtures("every_stream")
def test_broadcasts_take_turns(running: RunningGateway) -> None:
    """All streams see concurrent broadcasts in the same order, though each lets others run."""
    opened = [running.open() for _ in range(10)]
    tokens = [token for token, _ in opened]

    def broadcast(source: str, names: list[str]) -> None:
        for number in range(5):
            result = running.gateway.broadcast(names, Event(source, str(number)))
            assert result.delivered == 10
            gevent.sleep(0)

    # From both ends: without turns, the first stream would see another order than the last.
    orders_of_tokens = [tokens, tokens[::-1], tokens]
    senders = [gevent.spawn(broadcast, *pair) for pair in zip("abc", orders_of_tokens, strict=True)]
    gevent.joinall(senders, raise_error=True)
    running.gateway.broadcast(tokens, Event("end", ""))
    orders = [
        [(event.type, event.data) for event in stream.collect_until("end")] for _, stream in opened
    ]
    assert all(order == orders[0] for order in orders)
    for source in "abc":
        mine = [data for name, data in orders[0] if name == source]
        assert mine == ["0", "1", "2", "3", "4"]
    assert running.stats.broadcasts == 16


def test_broadcast_lets_others_run(
    running: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long broadcast lets others run before it is over."""
    monkeypatch.setattr("gateway_shim.streams.broadcasts.YIELD_EVERY", 3)
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", math.inf)
    tokens = [running.open()[0] for _ in range(12)]
    turns = []

    def other() -> None:
        while True:
            turns.append(1)
            gevent.sleep(0)

    greenlet = gevent.spawn(other)
    try:
        running.gateway.broadcast(tokens, Event(None, ""))
        assert turns == [], "a short broadcast lets nobody else run"
        monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)
        running.gateway.broadcast(tokens, Event(None, ""))
        assert len(turns) >= 3
    finally:
        greenlet.kill()


def test_broadcasts_without_pause_take_turns(
    running: RunningGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender that broadcasts again at once waits behind those that wait already."""
    monkeypatch.setattr("gateway_shim.streams.broadcasts.YIELD_EVERY", 1)
    monkeypatch.setattr("gateway_shim.event_loop.turns.SLICE_SECONDS", 0.0)
    tokens = [running.open()[0] for _ in range(3)]
    order: list[str] = []

    def broadcast(name: str) -> None:
        for _ in range(10):
            running.gateway.broadcast(tokens, Event(name, ""))
            order.append(name)

    gevent.joinall([gevent.spawn(broadcast, name) for name in "abc"], raise_error=True)
    assert all(sorted(order[n : n + 3]) == ["a", "b", "c"] for n in range(0, 27, 3))


@pytest.mark.usefixtures("every_stream")
def test_streams_end_during_a_broadcast(running: RunningGateway) -> None:
    """A stream that ends before its turn in a broadcast is reported as unknown."""
    opened = [running.open() for _ in range(4)]
    tokens = [token for token, _ in opened]
    (_, first), (closed, second), (_, third), (left, fourth) = opened
    fourth.close()

    def end_two() -> None:
        running.gateway.close(closed)
        running.wait_reason(left)

    ending = gevent.spawn(end_two)
    result = running.gateway.broadcast(tokens, Event(None, "late"))
    assert result == BroadcastResult(2, (closed, left))
    ending.get()
    assert second.wait_for_end() is Ended.CLEAN
    assert second.events == []
    assert [stream.next_event().data for stream in (first, third)] == ["late"] * 2


def test_stream_opens_during_a_broadcast(running: RunningGateway) -> None:
    """A broadcast is held back for a stream whose backend is still being asked."""
    gate = Signal()
    running.backend.during = lambda token: gate.wait()
    visit = running.visit()
    assert running.gateway.broadcast([visit.token], Event(None, "early")).delivered == 1
    gate.set()
    stream = visit.stream()
    assert running.gateway.broadcast([visit.token], Event(None, "late")).delivered == 1
    assert [stream.next_event().data for _ in range(2)] == ["early", "late"]


def test_equal_tuples_are_looked_up_once(running: RunningGateway) -> None:
    """The tokens of an equal tuple are not looked up again, until a stream comes or goes."""
    (a, one), (b, two) = running.open(), running.open()
    tokens = (a, b, "t3")
    event = Event(None, "x")
    assert running.gateway.broadcast(tokens, event) == BroadcastResult(2, ("t3",))
    known = running.gateway._streams.audiences.of_tokens(tokens)
    equal = (*tokens,)
    assert running.gateway.broadcast(equal, event) == BroadcastResult(2, ("t3",))
    assert running.gateway._streams.audiences.of_tokens(tokens) is known
    _, three = running.open()
    assert running.gateway.broadcast(tokens, event) == BroadcastResult(3, ())
    known = running.gateway._streams.audiences.of_tokens(tokens)
    running.gateway.close(a)
    assert running.gateway._streams.audiences.of_tokens(tokens) is not known, (
        "it would keep the ended stream"
    )
    assert running.gateway.broadcast(tokens, event) == BroadcastResult(2, (a,))
    assert one.wait_for_end() is Ended.CLEAN
    assert len(one.events) == 3
    assert [two.next_event().data for _ in range(4)] == ["x"] * 4
    assert [three.next_event().data for _ in range(2)] == ["x"] * 2


def test_a_list_may_change(running: RunningGateway) -> None:
    """The tokens of a list are looked up each time, because a list may change."""
    (a, one), (b, two) = running.open(), running.open()
    tokens = [a]
    running.gateway.broadcast(tokens, Event(None, "1"))
    tokens[0] = b
    running.gateway.broadcast(tokens, Event(None, "2"))
    assert (one.next_event().data, two.next_event().data) == ("1", "2")


@pytest.mark.usefixtures("every_stream")
def test_killed_broadcast_lets_the_next_one_go(running: RunningGateway) -> None:
    """A broadcast that is killed gives its turn back."""
    killed = gevent.spawn(running.gateway.broadcast, ["nobody"] * 10_000, Event(None, ""))
    gevent.sleep(0)
    killed.kill()
    token, _ = running.open()
    assert running.gateway.broadcast([token], Event(None, "")).delivered == 1
