"""Tests of the TLS server: its time limit for the handshake, and its answer to plain HTTP."""

from __future__ import annotations

import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest
from gevent.pool import Pool

from gateway_shim.protocol.event_stream import BodyFraming, Event
from gateway_shim.protocol.results import OpenResult
from gateway_shim.protocol.stream_request import StreamRequest
from gateway_shim.server import tls
from gateway_shim.server.connections.request_connections import RequestConnections
from gateway_shim.server.tls import TlsServer
from gateway_shim.streams.refusal_counts import RefusalCounts
from tests.gateway_shim.hub_errors import HubErrors
from tests.gateway_shim.running_gateway import RunningGateway
from tests.support.http.client import Connection
from tests.support.http.message import Ended
from tests.support.timing import TIME_LIMIT, wait_until

BIG = "x" * 5_000_000
"""More than the kernel holds for a connection on loopback."""

Pair = tuple[Any, Any]


@pytest.fixture
def port(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> Iterator[int]:
    """Run a TLS server that answers ``hello`` and closes; return its port."""
    connections = RequestConnections(10, lambda address: address, RefusalCounts())
    server = TlsServer(
        ("127.0.0.1", 0),
        contexts[1],
        connections,
        connections.add_line(Pool(20), 20),
        is_stream=lambda method, target: False,
        free_streams=lambda: 0,
        handle=lambda sock, address: sock.sendall(b"hello"),
    )
    with HubErrors():
        server.start()
        yield server.server_port
        server.stop(timeout=0)


def test_server(port: int, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """A client that speaks TLS is served."""
    plain = socket.create_connection(("127.0.0.1", port))
    with contexts[0].wrap_socket(plain, server_hostname="127.0.0.1") as client:
        assert client.recv(100) == b"hello"


def test_stream_leaves_its_handler(contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """While a TLS stream is open, it has neither a handler nor a place among the connections."""
    connections = RequestConnections(10, lambda address: address, RefusalCounts())
    line = connections.add_line(Pool(1), 1)

    def serve(sock: Any, address: object) -> None:
        assert sock.recv(100) == b"request"
        connections.leave()
        request = StreamRequest("/events", {}, BodyFraming.CHUNKED, "192.0.2.1")
        assert running.gateway.open(request, sock) is OpenResult.OPENED

    with RunningGateway() as running:
        server = TlsServer(
            ("127.0.0.1", 0),
            contexts[1],
            connections,
            line,
            is_stream=lambda method, target: False,
            free_streams=lambda: 0,
            handle=serve,
        )
        server.start()
        streams = []
        for number in range(3):  # one handler serves them all
            plain = socket.create_connection(("127.0.0.1", server.server_port))
            streams.append(contexts[0].wrap_socket(plain, server_hostname="127.0.0.1"))
            streams[-1].sendall(b"request")
            wait_until(lambda opened=number + 1: running.stats.opened == opened, "the stream")
            wait_until(lambda: line.pool.free_count() == 1, "the handler to end")
        server.stop(timeout=0)
        assert running.gateway.broadcast(running.tokens, Event(None, "x")).delivered == 3
        for stream in streams:
            received = b""
            while b"data: x" not in received:
                received += stream.recv(1000)
            stream.close()


def test_no_tls(port: int, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """A client that speaks neither TLS nor HTTP is disconnected, and the next one is served."""
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(TIME_LIMIT)
        client.sendall(b"\0\1\2 no TLS")
        with contextlib.suppress(ConnectionResetError):
            while client.recv(100):
                pass
    test_server(port, contexts)


def test_plain_http(port: int, contexts: tuple[ssl.SSLContext, ssl.SSLContext]) -> None:
    """A client that speaks plain HTTP gets an answer in HTTP, and the next one is served."""
    with Connection(port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        answer = client.read_response()
        assert (answer.status, answer.json()["error"]["code"]) == (400, "BAD_REQUEST")
        assert client.wait_closed() is Ended.EOF
    test_server(port, contexts)


def test_distrusting_client(port: int) -> None:
    """A client that distrusts the certificate disconnects, and no error is reported."""
    plain = socket.create_connection(("127.0.0.1", port))
    with plain, pytest.raises(ssl.SSLCertVerificationError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="127.0.0.1")


def test_slow_handshake(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that sends nothing is disconnected after the time limit."""
    monkeypatch.setattr(tls, "HANDSHAKE_SECONDS", 0.05)
    with socket.create_connection(("127.0.0.1", port)) as client:
        client.settimeout(TIME_LIMIT)
        assert client.recv(100) == b""
