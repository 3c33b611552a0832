"""Plain HTTP at a TLS port."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from gateway_shim.server.responses.plain_http import PlainHttp
from tests.gateway_shim.sockets import tcp_pair
from tests.support.http.client import Connection

Pair = tuple[Any, Any]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Both ends of a connection: client, server."""
    client, server = tcp_pair()
    yield client, server
    client.close()
    server.close()


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"GET / HTTP/1.1\r\n", True),
        (b"p", True),
        (b"\x16\x03\x01", False),
        (b"\x80\x2e", False),
        (b"\0", False),
        (b"\xe9", False),
        (b"\r\n", False),
    ],
)
def test_is_spoken(pair: Pair, sent: bytes, expected: bool) -> None:
    """The first byte decides, and is not consumed."""
    client, server = pair
    client.sendall(sent)
    assert PlainHttp().is_spoken(server) is expected
    assert server.recv(100) == sent


def test_client_that_says_nothing(pair: Pair) -> None:
    """A client that leaves without a byte has not used HTTP."""
    client, server = pair
    client.close()
    assert PlainHttp().is_spoken(server) is False


def test_refuse(pair: Pair) -> None:
    """The client reads the whole answer although its request was not read."""
    client, server = pair
    client.sendall(b"POST /x HTTP/1.1\r\nContent-Length: 20000\r\n\r\n" + b"x" * 20_000)
    refusing = gevent.spawn(PlainHttp().refuse, server, ("192.0.2.1", 5))
    # The raw client of the live tests, around one end of the pair.
    connection = Connection.__new__(Connection)
    connection.socket, connection._held = client, b""
    answer = connection.read_response()
    assert (answer.status, answer.head.get("Connection")) == (400, "close")
    assert answer.json()["error"] == {
        "message": "Bad request: this port speaks HTTPS only; use a URL that begins with https://",
        "code": "BAD_REQUEST",
    }
    client.close()
    refusing.get()
    assert server.fileno() == -1


def test_log_line(caplog: pytest.LogCaptureFixture) -> None:
    """Each refusal is one log line with the address, within the limit of log lines."""
    client, server = tcp_pair()
    client.close()
    PlainHttp().refuse(server, ("192.0.2.1", 5))
    (line,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert vars(line)["address"] == "192.0.2.1"
    assert "use https://" in line.message


def test_client_that_is_gone(pair: Pair) -> None:
    """A client that does not wait for the answer causes no error."""
    client, server = pair
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    PlainHttp().refuse(server, ("192.0.2.1", 5))
    assert server.fileno() == -1
