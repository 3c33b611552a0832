"""Clients of TLS streams that pause, talk, or leave."""

from __future__ import annotations

import contextlib
import socket

import pytest

from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.results import OpenResult
from tests.gateway_shim.following_browser import following, publish
from tests.gateway_shim.running_gateway import RunningGateway
from tests.gateway_shim.streams.sockets.tls_pairs import Pair, opened
from tests.support.http.message import Ended
from tests.support.timing import wait_until

BIG = "x" * 5_000_000
"""More than the kernel holds for a connection on loopback."""


@pytest.mark.usefixtures("kind")
def test_slow_client(pair: Pair) -> None:
    """Bytes that the kernel does not take arrive whole and in order, the end last."""
    with RunningGateway(max_buffer_bytes=20_000_000) as running:
        visit = running.visit(pair=pair)
        stream = opened(visit)
        for number in range(2):
            running.gateway.send(visit.token, Event(str(number), BIG))
        assert running.stats.bytes_buffered > 1_000_000
        running.gateway.close(visit.token)
        assert stream.wait_for_end() is Ended.CLEAN
        assert [(event.type, event.data == BIG) for event in stream.events] == [
            ("0", True),
            ("1", True),
        ]


@pytest.mark.parametrize("size", [100, 16 * 1024 - 11, 16 * 1024, 40_000])
@pytest.mark.usefixtures("kind")
def test_broadcasts_to_a_client_that_pauses(pair: Pair, size: int) -> None:
    """Broadcasts of one record or several arrive whole and in order, also when the kernel fills."""
    with RunningGateway(max_buffer_bytes=20_000_000) as running:
        pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        visit = running.visit(pair=pair, send_buffer=1 << 16)
        stream = opened(visit)
        connection = running.gateway._streams.by_token[visit.token]
        sent = 0
        for _ in range(2):  # caught up, it is written to directly again
            while not running.stats.bytes_buffered:
                text = f"{sent}-" + "x" * size
                assert running.gateway.broadcast([visit.token], Event("n", text)).delivered == 1
                sent += 1
            assert connection.direct_session is None
            while len(stream.events) < sent:
                stream.next_event()
            wait_until(lambda: connection.direct_session is not None, "the shortcut")
        assert [event.data for event in stream.events] == [
            f"{number}-" + "x" * size for number in range(sent)
        ]


@pytest.mark.parametrize("size", [300, 40_000])
def test_log_of_a_client_that_pauses(pair: Pair, size: int) -> None:
    """A client over TLS that falls behind in the log gets every entry once, then goes live."""
    with following(size=1 << 24) as running:
        pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        visit = running.visit(pair=pair, send_buffer=1 << 16)
        stream = opened(visit)
        sent = 0
        for _ in range(2):
            while not running.stats.streams_behind:
                publish(running, f"{sent}-" + "x" * size)
                sent += 1
            for number in range(20):
                publish(running, f"{sent + number}-" + "x" * size)
            sent += 20
            while sum(event.type == "n" for event in stream.events) < sent:
                stream.next_event()
            wait_until(lambda: not running.stats.streams_behind, "the stream to be live")
        texts = [event.data for event in stream.events if event.type == "n"]
        assert texts == [f"{number}-" + "x" * size for number in range(sent)]


def test_client_half_closes(pair: Pair) -> None:
    """A client that shuts down its side, below TLS or by close_notify alone, has left."""
    with RunningGateway() as running:
        visit = running.visit(pair=pair)
        opened(visit)
        pair[0]._sock.shutdown(socket.SHUT_WR)
        assert running.wait_reason(visit.token) == "client_closed"


@pytest.mark.parametrize(
    "record",
    [
        b"\x17\x03\x03\x00\x50half",
        b"\x17\x03\x03\x00\x20" + b"forged.." * 4,
        b"\x16\x03\x03\x00\x04\0\0\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_broken_record(pair: Pair, record: bytes) -> None:
    """A client that is cut off inside of a record, or sends what is none, has left."""
    with RunningGateway() as running:
        visit = running.visit(pair=pair)
        stream = opened(visit)
        pair[0]._sock.send(record)
        running.gateway.send(visit.token, Event(None, "1"))  # the rest of the gateway goes on
        with contextlib.suppress(OSError):
            stream.reset()
        assert running.wait_reason(visit.token) in ("client_closed", "error")
        assert running.stats.active == 0


def test_client_sends_records_of_one_byte(pair: Pair) -> None:
    """A client that sends thousands of records delays no event, and gets each once."""
    with RunningGateway() as running:
        visit = running.visit(pair=pair)
        stream = opened(visit)
        for number in range(2000):
            pair[0].send(b"x")
            if number % 100 == 0:
                running.gateway.send(visit.token, Event(None, str(number)))
        assert [stream.next_event().data for _ in range(20)] == [str(n * 100) for n in range(20)]


def test_client_talks(pair: Pair) -> None:
    """Bytes that a client sends after its request are read and dropped."""
    with RunningGateway() as running:
        visit = running.visit(pair=pair)
        stream = opened(visit)
        stream.connection.send(b"x" * 200_000)
        running.gateway.send(visit.token, Event(None, "1"))
        assert stream.next_event().data == "1"
        stream.close()
        assert running.wait_reason(visit.token) == "client_closed"


def test_write_to_one_that_is_gone(pair: Pair) -> None:
    """A write to a client that has left ends the stream."""
    with RunningGateway() as running:
        visit = running.visit(pair=pair)
        stream = opened(visit)
        stream.reset()
        # Twice without a switch: the first may still be taken by the kernel.
        result = running.gateway.broadcast([visit.token] * 2, Event(None, "x"))
        assert result.delivered < 2
        assert running.wait_reason(visit.token) in ("error", "client_closed")
        assert visit.outcome() is OpenResult.OPENED


def test_client_that_falls_off_the_log(pair: Pair) -> None:
    """A client over TLS that has not read for too long gets whole events, and one resync."""
    with following(size=1 << 18) as running:
        pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        visit = running.visit(pair=pair, send_buffer=1 << 16)
        stream = opened(visit)
        published = 0
        while not running.stats.streams_behind:
            published += 1
            publish(running, str(published))
        stalled_at = published
        for number in range(stalled_at, stalled_at + 10_000):  # more than the log keeps
            publish(running, str(number + 1))
        while not running.stats.resyncs["lagging"]:
            stream.next_event()
        running.gateway.close(visit.token)
        assert stream.wait_for_end() is Ended.CLEAN
        texts = [event.data for event in stream.events if event.type == "n"]
        assert texts == [str(number + 1) for number in range(len(texts))]
        assert [event.type for event in stream.events[len(texts) :]] == ["resync"]
        assert stalled_at <= len(texts) < stalled_at + 10_000
