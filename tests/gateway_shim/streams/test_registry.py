"""Streams through a gateway: they end, are kept alive, and are cut."""

from __future__ import annotations

import logging
import socket
from collections import Counter
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.errors import WriteFailed
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import BodyFraming, Event
from gateway_shim.protocol.results import OpenResult
from tests.gateway_shim.running_gateway import RunningGateway
from tests.gateway_shim.sockets import tcp_pair
from tests.support.http.message import Ended
from tests.support.timing import wait_until

BIG = "x" * 300_000


@pytest.mark.parametrize("reset", [False, True])
@pytest.mark.parametrize("framing", BodyFraming)
def test_client_gone(running: RunningGateway, reset: bool, framing: BodyFraming) -> None:
    """A client's end is noticed without a write, and the backend is told with the same request."""
    headers = {"host": "h", "x-latin": "\xe9"}
    token, stream = running.open("/a?b=%20", headers=headers, pair=tcp_pair(), framing=framing)
    stream.reset() if reset else stream.close()
    assert running.wait_reason(token) == "client_closed"
    request = {"url": "/a?b=%20", "headers": headers}
    assert running.backend.calls == [
        {"action": "connect", "token": token, "request": request},
        {"action": "disconnect", "reason": "client_closed", "token": token, "request": request},
    ]
    stats = running.stats
    assert (stats.active, stats.opened) == (0, 1)
    assert stats.closed == Counter(client_closed=1)


def test_client_gone_with_bytes_waiting(running: RunningGateway) -> None:
    """Nothing stays buffered for a client that leaves with many unread bytes."""
    token, stream = running.open(pair=tcp_pair())
    for _ in range(3):
        running.gateway.send(token, Event(None, BIG))
    stream.close()
    assert running.wait_reason(token) in ("client_closed", "error")
    assert running.stats.bytes_buffered == 0


KILOBYTE = 1024


def test_budget_of_all_streams(caplog: pytest.LogCaptureFixture) -> None:
    """If slow clients hold back too much together, those that hold the most are ended."""
    with RunningGateway(
        max_total_buffer_bytes=100 * KILOBYTE, max_buffer_bytes=90 * KILOBYTE
    ) as running:
        tokens = [running.open(send_buffer=KILOBYTE)[0] for _ in range(4)]
        good, stream = running.open()
        for kilobytes, token in zip((10, 20, 30), tokens, strict=False):
            running.gateway.send(token, Event(None, "x" * kilobytes * KILOBYTE))
        with pytest.raises(WriteFailed):  # this stream is the one that holds the most
            running.gateway.send(tokens[3], Event(None, "x" * 60 * KILOBYTE))
        assert (running.stats.slow_consumers_ended, running.gateway.active) == (1, 4)
        assert running.stats.bytes_buffered < 100 * KILOBYTE
        assert running.wait_reason(tokens[3]) == "error"
        for token in (tokens[2], tokens[1], tokens[0]):
            running.gateway.send(token, Event(None, "y" * 20 * KILOBYTE))
        assert running.stats.slow_consumers_ended == 2
        assert running.wait_reason(tokens[2]) == "error"
        running.gateway.send(good, Event(None, "1"))
        assert stream.next_event().data == "1"
        ended = [record for record in caplog.records if record.message == "slow consumer ended"]
        assert [vars(record)["limit"] for record in ended] == ["SSE_MAX_TOTAL_BUFFER_BYTES"] * 2
        assert [vars(record)["token"] for record in ended] == [tokens[3], tokens[2]]


def test_a_broadcast_counts_once() -> None:
    """One large event that many clients are slow to take counts once: no stream is ended."""
    with RunningGateway(max_total_buffer_bytes=400 * KILOBYTE) as running:
        tokens = [running.open(send_buffer=KILOBYTE)[0] for _ in range(20)]
        result = running.gateway.broadcast(tokens, Event(None, "x" * 200 * KILOBYTE))
        assert (result.delivered, result.unknown) == (20, ())
        assert running.stats.bytes_buffered > 20 * 100 * KILOBYTE
        assert running.stats.slow_consumers_ended == 0


def test_a_broadcast_over_the_budget() -> None:
    """A broadcast that exceeds the budget ends slow clients, and reaches the others."""
    with RunningGateway(max_total_buffer_bytes=300 * KILOBYTE) as running:
        slow_ones = [running.open(send_buffer=KILOBYTE)[0] for _ in range(3)]
        good, stream = running.open()
        tokens = [*slow_ones, good]
        for number in range(12):
            running.gateway.broadcast(tokens, Event(None, f"{number}" + "x" * 40 * KILOBYTE))
            assert stream.next_event().data.startswith(f"{number}")
        assert running.stats.slow_consumers_ended == 3
        assert running.gateway._streams.budget.size == 0
        assert running.gateway.active == 1


def test_held_events_count_against_the_budget() -> None:
    """A connecting stream that holds back the most ends when it opens."""
    gate = Signal()
    with RunningGateway(max_total_buffer_bytes=100 * KILOBYTE) as running:
        running.backend.during = lambda token: gate.wait()
        large, small = running.visit(), running.visit()
        running.gateway.send(small.token, Event("n", "1"))
        for _ in range(4):
            running.gateway.send(large.token, Event(None, "x" * 25 * KILOBYTE))
        assert running.gateway._streams.budget.size < KILOBYTE
        gate.set()
        assert small.stream().next_event().data == "1"
        assert large.outcome() is OpenResult.OPENED
        assert running.wait_reason(large.token) == "error"
        assert (running.gateway.active, running.stats.slow_consumers_ended) == (1, 1)


def test_held_events_of_a_refused_stream() -> None:
    """The held events of a stream that does not open are dropped."""
    with RunningGateway() as running:
        running.backend.answer = CallbackAnswer(403)
        running.backend.during = lambda token: running.gateway.send(token, Event(None, BIG))
        running.visit().refusal()
        assert running.gateway._streams.budget.size == 0


def test_waiting_bytes_cannot_be_written(running: RunningGateway) -> None:
    """The reason is error if the write of waiting bytes is what fails first."""
    token, stream = running.open()
    running.gateway.send(token, Event(None, BIG))
    # There is no end to read, but writes fail; that is noticed when the buffer has room.
    stream.connection.socket.shutdown(socket.SHUT_RD)
    stream.connection.socket.recv(200_000)
    assert running.wait_reason(token) == "error"
    assert running.stats.bytes_buffered == 0


def test_client_talks(running: RunningGateway) -> None:
    """Bytes that a client sends after its request are dropped, and its end is still seen."""
    token, stream = running.open(pair=tcp_pair())
    for _ in range(20):
        stream.connection.send(b"x" * 100_000)
    running.gateway.send(token, Event(None, "1"))
    assert stream.next_event().data == "1"
    stream.close()
    assert running.wait_reason(token) == "client_closed"


def test_client_gone_while_closing(running: RunningGateway) -> None:
    """A client that leaves before it has read the last bytes changes nothing."""
    token, stream = running.open()
    running.gateway.send(token, Event(None, BIG), close=True)
    assert running.wait_reason(token) == "server_closed"
    assert running.gateway._streams.closing
    stream.close()
    wait_until(lambda: not running.gateway._streams.closing, "the stream to be forgotten")
    assert running.backend.reasons == {token: "server_closed"}
    assert running.stats.closed == Counter(server_closed=1)


def test_endings_are_told_in_order(running: RunningGateway) -> None:
    """The backend is told of ends in the order in which they happened."""
    opened = [running.open() for _ in range(5)]
    order = [3, 0, 4, 1, 2]
    for index in order:
        running.gateway.close(opened[index][0])
    running.wait_reason(opened[2][0])
    assert list(running.backend.reasons) == [opened[index][0] for index in order]


def test_disconnect_that_does_not_arrive(running: RunningGateway) -> None:
    """A disconnect callback that fails is counted, and changes nothing else."""
    running.backend.disconnects_fail = True
    (first, _), (second, stream) = running.open(), running.open()
    running.gateway.close(first)
    wait_until(lambda: running.stats.callbacks_failed == 1, "the failure to be counted")
    running.gateway.send(second, Event(None, "1"))
    assert stream.next_event().data == "1"


def test_slow_backend_holds_up_nobody(running: RunningGateway) -> None:
    """While a disconnect callback blocks, streams open, get their events, and end."""
    gate = Signal()
    running.backend.told = lambda token: gate.wait()
    (first, _), (second, stream) = running.open(), running.open()
    running.gateway.close(first)
    gevent.sleep(0)
    running.gateway.send(second, Event(None, "1"), close=True)
    assert stream.wait_for_end() is Ended.CLEAN
    running.open()
    assert running.backend.reasons == {}
    gate.set()
    running.wait_reason(second)
    assert list(running.backend.reasons) == [first, second]


def test_log_lines(running: RunningGateway, caplog: pytest.LogCaptureFixture) -> None:
    """A stream's opening, refusal and end are logged with its token, URL and address."""
    caplog.set_level(logging.INFO, "gateway_shim")
    token, stream = running.open("/a", address="192.0.2.7")
    stream.close()
    running.wait_reason(token)
    running.backend.answer = CallbackAnswer(403)
    running.visit("/b").outcome()

    def fields(record: logging.LogRecord) -> list[Any]:
        names = ("token", "url", "address", "reason", "answer")
        return [record.message, *(getattr(record, name, None) for name in names)]

    assert [fields(record) for record in caplog.records] == [
        ["stream opened", "t1", "/a", "192.0.2.7", None, None],
        ["stream ended", "t1", "/a", "192.0.2.7", "client_closed", None],
        ["stream refused", "t2", "/b", "192.0.2.1", None, 403],
    ]


# ------------------------------------------------------------------------- heartbeats


@pytest.mark.parametrize("framing", BodyFraming)
def test_heartbeats(framing: BodyFraming) -> None:
    """A stream gets a comment each interval, counted from its own opening."""
    with RunningGateway(heartbeat_interval=0.1) as running:
        token, stream = running.open(framing=framing)
        assert stream.wait_for_comments(3) == [" heartbeat"] * 3
        first, second, third = stream.comment_times[:3]
        assert second - first > 0.04
        assert third - first > 0.14
        assert running.stats.heartbeats >= 3
        running.gateway.close(token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.raw == b": heartbeat\n\n" * len(stream.comments)


def test_heartbeats_count_against_the_bound() -> None:
    """A client that reads nothing is ended by its heartbeats alone."""
    with RunningGateway(heartbeat_interval=0.06, max_buffer_bytes=30) as running:
        token, _ = running.open(send_buffer=4096)
        assert running.stall(token) == 13  # and a heartbeat is 18
        assert running.wait_reason(token) == "error"
        assert running.stats.slow_consumers_ended == 1


def test_closing_stream_is_cut_at_its_heartbeat() -> None:
    """A client that does not read its last bytes is cut after one to two intervals."""
    with RunningGateway(heartbeat_interval=0.1) as running:
        token, stream = running.open(send_buffer=4096)
        running.stall(token)
        running.gateway.close(token)
        assert running.gateway._streams.closing
        wait_until(lambda: not running.gateway._streams.closing, "the stream to be cut")
        assert stream.wait_for_end() is Ended.EOF
        assert running.backend.reasons == {token: "server_closed"}
        stats = running.stats
        assert stats.closed == Counter(server_closed=1)
        assert (stats.heartbeats, stats.slow_consumers_ended, stats.bytes_buffered) == (0, 0, 0)


def test_ended_streams_get_no_heartbeats() -> None:
    """A stream that has ended is forgotten when its next heartbeat is due."""
    with RunningGateway(heartbeat_interval=0.05) as running:
        token, stream = running.open()
        running.gateway.close(token)
        wait_until(lambda: not running.gateway._heartbeats._due, "the stream to be forgotten")
        assert stream.wait_for_end() is Ended.CLEAN
        assert running.stats.heartbeats == 0


# ------------------------------------------------------------------------- the gateway's own end


def test_stop_cuts_what_is_left() -> None:
    """A stop without a drain ends all streams, and closes no socket of the server."""
    with RunningGateway() as running:
        gate = Signal()
        _, stream = running.open()
        closing, slow = running.open(send_buffer=4096)
        running.stall(closing)
        running.gateway.close(closing)
        running.backend.during = lambda token: gate.wait()
        connecting = running.visit()

        running.gateway.stop()
        assert running.stats.active == 0
        assert not running.gateway._streams.closing
        assert stream.wait_for_end() is Ended.EOF
        assert slow.wait_for_end() is Ended.EOF
        gate.set()
        assert connecting.outcome() is OpenResult.ABANDONED
        assert connecting.client.wait_closed() is Ended.EOF
