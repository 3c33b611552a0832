"""Streams over TLS: a session with the interface of a stream's socket."""

from __future__ import annotations

import contextlib
import gc
import socket
import ssl
import types
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.results import OpenResult
from gateway_shim.streams.sockets.tls_socket import TlsSocket
from tests.gateway_shim.running_gateway import RunningGateway
from tests.gateway_shim.streams.sockets.tls_pairs import Pair, handshake, opened
from tests.support.http.message import Ended
from tests.support.timing import TIME_LIMIT, wait_until


def test_events(contexts: tuple[ssl.SSLContext, ssl.SSLContext], kind: str) -> None:
    """A stream over TLS gets events like any other. Its handler returns at once, if it can."""
    with RunningGateway() as running:
        visit = running.visit(pair=handshake(contexts))
        stream = opened(visit)
        running.gateway.send(visit.token, Event("n", "1"))
        running.gateway.broadcast([visit.token], Event("n", "2"))
        assert [stream.next_event().data, stream.next_event().data] == ["1", "2"]
        assert visit.opening.ready() is (kind == "released")
        running.gateway.send(visit.token, Event("n", "3"), close=True)
        assert stream.wait_for_end() is Ended.CLEAN
        assert stream.connection.wait_closed() is Ended.EOF, "the session ends with close_notify"
        stream.close()
        assert visit.outcome() is OpenResult.OPENED
        assert running.wait_reason(visit.token) == "server_closed"


def test_what_stays(pair: Pair) -> None:
    """Nothing of gevent stays of an open stream: not its socket, its watchers or its greenlet."""
    with RunningGateway() as running:
        visit = running.visit(pair=pair)
        stream = opened(visit)
        assert visit.outcome() is OpenResult.OPENED
        assert visit.server.fileno() == -1
        reachable: list[Any] = [running.gateway._streams.by_token[visit.token]._sock]
        found: dict[int, Any] = {}
        while reachable:
            item = reachable.pop()
            if id(item) not in found and not isinstance(item, type | types.ModuleType):
                found[id(item)] = item
                reachable += gc.get_referents(item)
        assert not {id(pair[1]), id(visit.opening)} & set(found)
        assert len(found) < 20
        running.gateway.send(visit.token, Event(None, "1"))
        assert stream.next_event().data == "1"


@pytest.mark.usefixtures("kind")
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


def test_closed_session(pair: Pair) -> None:
    """A closed session cannot be written to: its descriptor may be another connection's by now."""
    session = TlsSocket(pair[1], socket.socket(fileno=pair[1].fileno()))  # type: ignore[arg-type]
    with pytest.raises(ConnectionError):
        session.send(b"x")  # it is still the server's
    session.take_over()
    assert session.session is not None
    write = session.session.write
    session.close()
    with pytest.raises(ConnectionError):
        session.send(b"x")
    del session
    with pytest.raises(OSError, match="connection gone"):
        write(b"x")
    pair[0].close()


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


def test_woken_for_nothing(pair: Pair) -> None:
    """A session without bytes to read would block; it has not ended."""
    client, server = pair
    plain = socket.socket(fileno=server.fileno())
    session = TlsSocket(server, plain)  # type: ignore[arg-type]  # gevent's, of the same interface
    descriptor = server.fileno()
    session.take_over()
    with pytest.raises(BlockingIOError):
        session.recv(10)
    assert session.fileno() == descriptor
    session.close()
    session.park()
    client.close()
