"""gateway_shim.request_body: bodies that are whole, too large, too slow, or break off."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from gunicorn.config import Config
from gunicorn.http import errors
from gunicorn.http.unreader import SocketUnreader

from gateway_shim import request_body
from gateway_shim.contract import MAX_REQUEST_BYTES, Refusal
from gateway_shim.request_body import drop_body, read_body
from gateway_shim.server_request import ServerRequest
from tests.support.timing import TIME_LIMIT

LENGTH = "Content-Length: {}"
CHUNKED = "Transfer-Encoding: chunked"


class Client:
    """A client that has sent a head, and the request that the server made of it."""

    def __init__(self, *lines: str, body: bytes = b"") -> None:
        self.socket, self.server = socket.socketpair()
        head = "\r\n".join(["POST / HTTP/1.1", "Host: h", *lines, "", ""]).encode()
        self.sending = gevent.spawn(self.socket.sendall, head + body)
        self.request: Any = ServerRequest(Config(), SocketUnreader(self.server), ("192.0.2.1", 1))

    def read(self) -> Refusal | None:
        """Read its body as the worker does."""
        return read_body(self.request, self.server)

    def close(self) -> None:
        """Close both ends."""
        self.sending.kill()
        self.socket.close()
        self.server.close()


@pytest.fixture
def clients() -> Iterator[list[Client]]:
    """Clients that are closed afterwards."""
    made: list[Client] = []
    yield made
    for client in made:
        client.close()


def error(refusal: Refusal | None) -> tuple[int, str, str]:
    """Status, code and message of a refusal."""
    assert refusal is not None
    body = json.loads(refusal.body)["error"]
    return refusal.status, body["code"], body["message"]


@pytest.mark.parametrize(
    ("lines", "sent", "body"),
    [
        ([], b"", b""),
        ([LENGTH.format(0)], b"", b""),
        ([LENGTH.format(3)], b"abcGET /next", b"abc"),
        ([LENGTH.format(MAX_REQUEST_BYTES)], b"x" * MAX_REQUEST_BYTES, b"x" * MAX_REQUEST_BYTES),
        ([CHUNKED], b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc"),
    ],
    ids=["none", "empty", "length", "largest", "chunked"],
)
def test_whole_body(clients: list[Client], lines: list[str], sent: bytes, body: bytes) -> None:
    """A body is read to its end and no further, and is there for the application."""
    client = Client(*lines, body=sent)
    clients.append(client)
    assert client.read() is None
    assert client.request.body.read() == body


@pytest.mark.parametrize(
    ("lines", "sent"),
    [
        ([LENGTH.format(MAX_REQUEST_BYTES + 1)], b""),
        ([CHUNKED], b"200000\r\n" + b"x" * (MAX_REQUEST_BYTES + 100_000)),
    ],
    ids=["announced", "chunked"],
)
def test_too_large(clients: list[Client], lines: list[str], sent: bytes) -> None:
    """A body that is too large is refused: unread if it was announced, else at the limit."""
    client = Client(*lines, body=sent)
    clients.append(client)
    assert error(client.read()) == (
        413,
        "PAYLOAD_TOO_LARGE",
        f"The body is larger than {MAX_REQUEST_BYTES} bytes",
    )


@pytest.mark.parametrize("lines", [[LENGTH.format(3)], [CHUNKED]])
def test_too_slow(clients: list[Client], lines: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that does not end in time is refused."""
    monkeypatch.setattr(request_body, "BODY_SECONDS", 0.05)
    client = Client(*lines)
    clients.append(client)
    assert error(client.read()) == (
        408,
        "REQUEST_TIMEOUT",
        "The body did not arrive within 0.05 s",
    )


def test_somebody_elses_time_limit(clients: list[Client]) -> None:
    """A time limit that is not the body's own goes on to whoever set it."""
    client = Client(LENGTH.format(3))
    clients.append(client)
    with pytest.raises(gevent.Timeout) as caught, gevent.Timeout(0.05) as outer:
        client.read()
    assert caught.value is outer


def test_broken_off(clients: list[Client]) -> None:
    """A body of which only a part came is not taken for a whole one."""
    client = Client(LENGTH.format(50), body=b"{}")
    clients.append(client)
    client.sending.join(TIME_LIMIT)
    client.socket.shutdown(socket.SHUT_WR)
    assert error(client.read()) == (400, "BAD_REQUEST", "Bad request: the body broke off")


def test_broken_off_chunks(clients: list[Client]) -> None:
    """The same for a chunked one, which gunicorn sees itself."""
    client = Client(CHUNKED, body=b"2\r\n{}\r\n")
    clients.append(client)
    client.sending.join(TIME_LIMIT)
    client.socket.shutdown(socket.SHUT_WR)
    with pytest.raises((errors.NoMoreData, errors.ParseException)):
        client.read()


def test_continue(clients: list[Client]) -> None:
    """A client that waits to be told to go on is told so, before its body is read."""
    client = Client(LENGTH.format(2), "Expect: 100-continue")
    clients.append(client)
    reading = gevent.spawn(client.read)
    assert client.socket.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.socket.sendall(b"{}")
    assert reading.get(timeout=TIME_LIMIT) is None
    assert client.request.body.read() == b"{}"


def test_no_continue_for_what_is_too_large(clients: list[Client]) -> None:
    """Nobody is told to go on with a body that will not be read."""
    client = Client(LENGTH.format(MAX_REQUEST_BYTES + 1), "Expect: 100-continue")
    clients.append(client)
    assert error(client.read())[0] == 413
    client.server.shutdown(socket.SHUT_WR)
    assert client.socket.recv(100) == b""


@pytest.mark.parametrize(
    ("lines", "sent", "dropped"),
    [
        ([], b"", True),
        ([LENGTH.format(3)], b"abc", True),
        ([CHUNKED], b"1\r\na\r\n0\r\n\r\n", True),
        ([LENGTH.format(MAX_REQUEST_BYTES + 1)], b"", False),
        ([LENGTH.format(3), "Expect: 100-continue"], b"", False),
    ],
    ids=["none", "length", "chunked", "too large", "not sent"],
)
def test_drop_body(clients: list[Client], lines: list[str], sent: bytes, dropped: bool) -> None:
    """A body that nobody wants is read away, where the next request can then be found."""
    client = Client(*lines, body=sent + b"GET /next")
    clients.append(client)
    assert drop_body(client.request, client.server) is dropped
    if dropped:
        assert client.request.unreader.read() == b"GET /next"


def test_drop_body_that_was_read(clients: list[Client]) -> None:
    """A body that the application has had is not read again."""
    client = Client(LENGTH.format(3), body=b"abc")
    clients.append(client)
    assert client.read() is None
    client.request.body.read()
    assert drop_body(client.request, client.server) is True
