"""A socket that can be read again from the beginning of its connection."""

from __future__ import annotations

import _socket
import socket

import gevent.socket
import pytest

from gateway_shim.protocol.http import Refusal
from gateway_shim.server.connections.refused_socket import RefusedSocket, refusal_of
from tests.gateway_shim.sockets import tcp_pair

REFUSAL = Refusal(403, "BACKEND_FORBIDDEN", "Backend returned 403")


def refused_socket(outcome: Refusal | Exception = REFUSAL) -> tuple[socket.socket, RefusedSocket]:
    """Return a client, and the other end, from which ``request`` was read before."""
    client, server = tcp_pair()
    plain = _socket.socket(server.family, server.type, 0, server.detach())
    return client, RefusedSocket(plain, b"request", outcome)


def test_read_again() -> None:
    """The bytes that were read before come first, in any pieces; peeking takes nothing."""
    client, server = refused_socket()
    with client, server:
        client.sendall(b" and more")
        assert server.recv(100, socket.MSG_PEEK) == b"request"
        assert server.recv(3) == b"req"
        assert server.recv(100) == b"uest"
        assert server.recv(100) == b" and more"
        server.sendall(b"answer")
        assert client.recv(100) == b"answer"


def test_refusal_of_the_first_request_only() -> None:
    """The outcome belongs to one request."""
    client, server = refused_socket()
    with client, server:
        assert refusal_of(server) is REFUSAL
        assert refusal_of(server) is None
        assert refusal_of(client) is None


def test_error_of_the_first_request() -> None:
    """An error of the gateway is raised in the handler, which answers it."""
    client, server = refused_socket(RuntimeError("a mistake"))
    with client, server:
        with pytest.raises(RuntimeError, match="a mistake"):
            refusal_of(server)
        assert refusal_of(server) is None


def test_handlers_know_refused_sockets() -> None:
    """The handler's socket is one of gevent's, with which gunicorn works."""
    assert issubclass(RefusedSocket, gevent.socket.socket)
