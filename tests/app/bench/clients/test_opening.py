"""A stream that is being opened."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from app.bench.clients.opening import StreamOpening
from app.bench.errors import BenchFailed

ANSWER = b"HTTP/1.1 200 OK\r\n\r\n19\r\nevent: version\ndata: {}\n\n\r\n"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, StreamOpening]]:
    """Return the server's end of a connection, and the stream at the other end."""
    server, client = socket.socketpair()
    with server, client:
        yield server, StreamOpening(client.fileno(), b"GET / HTTP/1.1\r\n\r\n")


def test_byte_by_byte(pair: tuple[socket.socket, StreamOpening]) -> None:
    """A stream is open with the last byte of its version event."""
    server, opening = pair
    for number in range(len(ANSWER) - 2):
        assert not opening.blocks.has_version
        server.sendall(ANSWER[number : number + 1])
        opening.read()
    assert opening.blocks.has_version


def test_refused(pair: tuple[socket.socket, StreamOpening]) -> None:
    """A status that is not 200 is an error, as soon as it can be told."""
    server, opening = pair
    server.sendall(b"HTTP/1.1 2")
    opening.read()
    server.sendall(b"04 No Content\r\n\r\n")
    with pytest.raises(BenchFailed, match=r"refused: b'HTTP/1\.1 204"):
        opening.read()


def test_ended(pair: tuple[socket.socket, StreamOpening]) -> None:
    """An end before the version event is an error."""
    server, opening = pair
    server.sendall(ANSWER[:30])
    opening.read()
    server.shutdown(socket.SHUT_WR)
    with pytest.raises(BenchFailed, match="ended before its version event"):
        opening.read()
