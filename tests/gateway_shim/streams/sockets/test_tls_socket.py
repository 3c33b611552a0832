"""Streams over TLS: a session with the interface of a stream's socket."""

from __future__ import annotations

import contextlib
import socket
import ssl
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.results import OpenResult
from gateway_shim.streams.sockets.tls_socket import TlsSocket
from tests.gateway_shim.running_gateway import RunningGateway, Visit
from tests.gateway_shim.sockets import tcp_pair
from tests.gateway_shim.streams.replay.browser import following, publish
from tests.support.http.message import Ended
from tests.support.http.stream import Stream
from tests.support.timing import TIME_LIMIT, wait_until

BIG = "x" * 5_000_000
"""More than the kernel holds for a connection on loopback."""

Pair = tuple[Any, Any]


@pytest.fixture
def pair(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> Pair:
    """Return both ends of a TLS session: client, server."""
    return handshake(contexts)


def handshake(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> Pair:
    """Make a TLS session, and return its client and server."""
    client, server = tcp_pair()
    accepting = gevent.spawn(contexts[1].wrap_socket, server, server_side=True)
    wrapped = contexts[0].wrap_socket(client, server_hostname="127.0.0.1")
    return wrapped, accepting.get(timeout=TIME_LIMIT)


def opened(visit: Visit) -> Stream:
    """Return the stream of a visit, whose handler stays parked."""
    head = visit.client.read_head()
    assert head.status == 200
    return Stream(visit.client, head, lone_ids=True)


def test_events(pair: Pair) -> None:
    """A stream over TLS gets events like any other, and its handler stays until it has ended."""
    with RunningGateway() as running:
        visit = running.visit(pair=pair)
        stream = opened(visit)
        running.gateway.send(visit.token, Event("n", "1"))
        running.gateway.broadcast([visit.token], Event("n", "2"))
        assert [stream.next_event().data, stream.next_event().data] == ["1", "2"]
        assert not visit.opening.ready()
        running.gateway.send(visit.token, Event("n", "3"), close=True)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.connection.wait_closed() is Ended.EOF, "the session ends with close_notify"
        stream.close()
        assert visit.outcome() is OpenResult.OPENED
        assert running.wait_reason(visit.token) == "server_closed"


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


@pytest.mark.parametrize("politely", [True, False])
def test_client_gone(pair: Pair, politely: bool) -> None:
    """The end of a session, or of its connection alone, is noticed without a write."""
    with RunningGateway() as running:
        visit = running.visit(pair=pair)
        stream = opened(visit)
        if politely:
            gevent.spawn(pair[0].unwrap)
        else:
            stream.reset()
        assert running.wait_reason(visit.token) == "client_closed"
        assert visit.outcome() is OpenResult.OPENED
        assert visit.server.fileno() == -1


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


@pytest.mark.parametrize("politely", [True, False])
def test_client_gone_during_the_callback(pair: Pair, politely: bool) -> None:
    """An end during the callback is seen below TLS, with or without close_notify."""
    with RunningGateway() as running:
        gate = Signal()
        running.backend.during = lambda token: gate.wait()
        visit = running.visit(pair=pair)
        if politely:
            with contextlib.suppress(ssl.SSLWantReadError):
                pair[0].settimeout(0)
                pair[0].unwrap()
            visit.client.close()
        else:
            visit.client.reset()
        wait_until(lambda: running.stats.active == 0, "the token to be gone")
        assert not visit.opening.ready()
        gate.set()
        assert visit.outcome() is OpenResult.ABANDONED
        assert running.backend.reasons == {}


def test_refused_session_goes_on(pair: Pair) -> None:
    """The session of a refused request is as it was, with all that the client has sent."""
    with RunningGateway() as running:
        running.backend.answer = CallbackAnswer(404)
        running.backend.during = lambda token: gevent.sleep(0.02)
        visit = running.visit(pair=pair)
        visit.client.send(b"next request")
        visit.refusal()
        assert visit.server.recv(100) == b"next request"
        visit.server.sendall(b"answer")
        assert visit.client.socket.recv(100) == b"answer"


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


def test_drain(pair: Pair) -> None:
    """A drain ends streams over TLS as cleanly as others."""
    with RunningGateway() as running:
        visit = running.visit(pair=pair)
        stream = opened(visit)
        running.gateway.drain(Event("bye", ""), TIME_LIMIT)
        assert stream.wait_for_end() is Ended.CLEAN
        assert [event.type for event in stream.events] == ["bye"]
        stream.close()
        assert visit.outcome() is OpenResult.OPENED


def test_other_bytes_after_a_write_that_would_block(pair: Pair) -> None:
    """Bytes that were not counted as sent may be followed by others than before."""
    client, server = pair
    server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
    session = TlsSocket(server, socket.socket(fileno=server.fileno()))  # type: ignore[arg-type]
    session.take_over()
    expected, got = b"", b""
    for number, size in enumerate([100, 20_000, 200_000, 16_384]):
        data, sent = b"", 0
        while sent == len(data):  # until the kernel is full
            expected += data
            data = bytes([65 + number]) * size
            sent = session.send(data)
        # What was left over of the piece is shortened, and others follow, as after a trim.
        data = data[sent:][:1] + b"other" * 9
        expected += bytes([65 + number]) * sent
        while data:
            got += client.recv(1 << 20)
            sent = session.send(data)
            expected, data = expected + data[:sent], data[sent:]
    while len(got) < len(expected):
        got += client.recv(1 << 20)
    assert got == expected
    session.close()
    client.close()


def test_client_that_falls_off_the_log(pair: Pair) -> None:
    """A client over TLS that has not read for too long gets whole events, and one resync."""
    with following(size=1 << 18) as running:
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


def test_woken_for_nothing(pair: Pair) -> None:
    """A session without bytes to read would block; it has not ended."""
    client, server = pair
    plain = socket.socket(fileno=server.fileno())
    session = TlsSocket(server, plain)  # type: ignore[arg-type]  # gevent's, of the same interface
    session.take_over()
    with pytest.raises(BlockingIOError):
        session.recv(10)
    assert session.fileno() == server.fileno()
    session.close()
    session.park()
    client.close()
