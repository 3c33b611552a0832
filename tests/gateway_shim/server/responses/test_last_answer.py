"""The last answer is sent, and the connection closed, within a time limit."""

from __future__ import annotations

import socket

import gevent
import pytest

from gateway_shim.server.responses.last_answer import send_last
from tests.gateway_shim.sockets import fill, tcp_pair

ANSWER = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"


def test_the_client_reads_it_whole() -> None:
    """The client reads the whole answer although its bytes were not read."""
    client, server = tcp_pair()
    client.sendall(b"x" * 20_000)
    sending = gevent.spawn(send_last, server, ANSWER)
    received = b""
    while data := client.recv(1000):
        received += data
    client.close()
    sending.get()
    assert received == ANSWER
    assert server.fileno() == -1


@pytest.mark.parametrize("full", [True, False])
def test_a_client_that_does_nothing(full: bool) -> None:
    """A client that does not read, or does not close, cannot keep the handler."""
    client, server = tcp_pair()
    if full:
        fill(server)
    send_last(server, ANSWER, seconds=0.01)
    assert server.fileno() == -1
    client.close()


def test_a_client_that_is_gone() -> None:
    """A broken connection raises no exception."""
    client, server = tcp_pair()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    send_last(server, ANSWER)
    assert server.fileno() == -1
