"""The hot loop, with clients that read and clients that do not."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from gateway_shim.protocol import event_stream
from gateway_shim.protocol.event_stream import BodyFraming, Event
from gateway_shim.protocol.results import BroadcastResult
from gateway_shim.streams.hot_loop import write_all
from tests.gateway_shim.running_gateway import BIG, RunningGateway, warnings_of
from tests.support.timing import wait_until


def fill_with(sock: Any, piece: bytes) -> int:
    """Send whole pieces until the kernel takes no more, and return their number."""
    count = 0
    try:
        while True:
            assert sock.send(piece) == len(piece)
            count += 1
    except BlockingIOError:
        return count


def test_write_all(running: RunningGateway) -> None:
    """Every stream gets the same bytes, in both framings."""
    opened = [running.open(), running.open(framing=BodyFraming.BARE)]
    streams = running.gateway._streams
    connections = [streams.by_token[token] for token, _ in opened]
    frame = event_stream.frame(b"data: x\n\n")
    assert write_all(streams, connections, frame) == BroadcastResult(2, ())
    assert [stream.next_event().data for _, stream in opened] == ["x", "x"]


def test_broadcast_write_fails(running: RunningGateway) -> None:
    """A stream whose write fails ends; it is neither delivered to nor unknown."""
    token, stream = running.open()
    stream.connection.socket.shutdown(socket.SHUT_RDWR)
    assert running.gateway.broadcast([token], Event(None, "x")) == BroadcastResult(0, ())
    assert running.wait_reason(token) == "error"


def test_slow_consumers_in_a_broadcast(caplog: pytest.LogCaptureFixture) -> None:
    """A broadcast ends clients that are too slow, and reaches the others."""
    with RunningGateway(max_buffer_bytes=1000) as running:
        (slow, _), (quick, stream) = running.open(send_buffer=4096), running.open()
        results = []
        for number in range(100):
            results.append(running.gateway.broadcast([slow, quick], Event(str(number), "x" * 200)))
            stream.wait_for(str(number))
        ended = results.index(BroadcastResult(1, ()))
        assert results == (
            [BroadcastResult(2, ())] * ended
            + [BroadcastResult(1, ())]
            + [BroadcastResult(1, (slow,))] * (99 - ended)
        )
        assert warnings_of(caplog) == [("slow consumer ended", slow)]
        assert running.stats.slow_consumers_ended == 1
        assert running.wait_reason(slow) == "error"


def test_one_event_beyond_the_bound_in_a_broadcast() -> None:
    """An event that is larger than the bound ends a client that takes only a part of it."""
    with RunningGateway(max_buffer_bytes=1000) as running:
        token, _ = running.open()
        assert running.gateway.broadcast([token], Event(None, BIG)) == BroadcastResult(0, ())
        assert running.wait_reason(token) == "error"
        assert running.stats.slow_consumers_ended == 1


def test_a_slow_client_gets_all_broadcasts_in_order(running: RunningGateway) -> None:
    """Broadcasts wait in their order for a client that has fallen behind."""
    token, stream = running.open()
    for round_ in ("a", "b"):  # caught up, it is written to directly again
        for number in range(4):
            event = Event(f"{round_}{number}", BIG)
            assert running.gateway.broadcast([token], event) == BroadcastResult(1, ())
        assert running.stats.bytes_buffered > 3 * len(BIG)
        events = stream.collect_until(f"{round_}3")
        assert [event.type for event in events] == [f"{round_}{number}" for number in range(4)]
        assert {len(event.data) for event in events} == {len(BIG)}
        wait_until(lambda: running.stats.bytes_buffered == 0, "the outbox to be empty")


def test_the_kernel_takes_nothing_of_a_broadcast(running: RunningGateway) -> None:
    """An event of which the kernel takes no byte waits whole, and is delivered."""
    visit = running.visit()
    stream = visit.stream()
    connection = running.gateway._streams.by_token[visit.token]
    comments = fill_with(connection.direct, b"2\r\n:\n\r\n")
    assert running.gateway.broadcast([visit.token], Event(None, "x")) == BroadcastResult(1, ())
    assert running.stats.bytes_buffered == len(b"9\r\ndata: x\n\n\r\n")
    assert stream.next_event().data == "x"
    assert comments > 100
