"""Tests of an answer, and of its connection after the answer is closed."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from gateway_shim.errors import RequestFailed
from gateway_shim.http_client.answer import HttpAnswer
from gateway_shim.http_client.client import HttpClient
from tests.support.http.scripted_server import ScriptedServer, answer
from tests.support.timing import TIME_LIMIT

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
LENGTH = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


def asked(client: HttpClient, server: ScriptedServer) -> HttpAnswer:
    """Make a request; return the answer with its body unread."""
    return client.request("GET", f"http://127.0.0.1:{server.port}/", seconds=TIME_LIMIT)


def kept(client: HttpClient) -> int:
    """Return the number of connections that a client keeps."""
    transport: Any = client._transport
    return sum(len(connections) for connections in transport._kept.values())


@pytest.mark.parametrize(
    ("head", "location"),
    [
        (b"302 F\r\nLocation: /x\r\n", "/x"),
        (b"302 F\r\nLocation:\r\n", ""),
        (b"302 F\r\nLocation: /\xc3\xa9\r\n", "/é"),
        (b"302 F\r\nLocation: /\xff\r\n", "/�"),
        (b"302 F\r\nLocation: /a\r\nLocation: /b\r\n", "/a, /b"),
        (b"302 F\r\n", None),
        (b"200 F\r\nLocation: /x\r\n", None),
        (b"304 F\r\nLocation: /x\r\n", None),
    ],
)
def test_location(head: bytes, location: str | None) -> None:
    """The target of a redirect is read as UTF-8; an empty target is a target."""
    raw = b"HTTP/1.1 " + head + b"Content-Length: 0\r\n\r\n"
    with (
        ScriptedServer(answer(raw)) as server,
        HttpClient() as client,
        asked(client, server) as got,
    ):
        assert got.location == location


@pytest.mark.parametrize(
    ("raw", "here", "again"),
    [
        (LENGTH % 2 + b"{}", True, 1),
        (LENGTH % 0, True, 1),
        (b"HTTP/1.1 204 N\r\n\r\n", True, 1),
        (CHUNKED + b"2\r\n{}\r\n0\r\n\r\n", True, 1),
        (LENGTH % 3 + b"{}", False, 0),
        (CHUNKED + b"2\r\n{}\r\n", False, 0),
        (CHUNKED + b"20\r\n0\r\n\r\n", True, 0),  # looks like the end, but is in the middle
        (b"HTTP/1.1 200 OK\r\n\r\n{}", False, 0),
        (LENGTH % 1 + b"{}", True, 0),  # the bytes after the body can be anything
    ],
)
def test_close_unread(raw: bytes, here: bool, again: int) -> None:
    """Closing does not wait for the body; a body that was received whole keeps the connection."""
    hold = threading.Event()
    with ScriptedServer(answer(raw, hold=hold)) as server, HttpClient() as client:
        got = asked(client, server)
        assert got.body_is_here() is here
        got.close_unread()
        got.close_unread()
        assert kept(client) == again
        hold.set()


def test_discard_waits_for_a_body() -> None:
    """Discarding waits for a short body, and keeps the connection."""
    hold = threading.Event()
    script = answer(LENGTH % 2 + b"{", b"}", hold=hold)
    with ScriptedServer(script) as server, HttpClient() as client:
        asked(client, server).discard()
        assert kept(client) == 1
        hold.set()


@pytest.mark.parametrize(
    "raw",
    [
        LENGTH % 100_000 + b"x" * 100_000,
        CHUNKED + b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n",
        CHUNKED + b"0\r\n" + b"X: y\r\n" * 20_000 + b"\r\n",
        LENGTH % 10 + b"short",
        CHUNKED + b"fish\r\n",
    ],
)
def test_discard_has_an_end(raw: bytes) -> None:
    """Discarding reads at most 64 KiB, chunk sizes and trailers included."""
    with ScriptedServer(answer(raw)) as server, HttpClient() as client:
        asked(client, server).discard()
        assert kept(client) == 0


def test_a_body_that_was_read_leaves_its_connection() -> None:
    """An answer whose body was read to its end keeps its connection without a close."""
    hold = threading.Event()
    with ScriptedServer(answer(LENGTH % 2 + b"{}", hold=hold)) as server, HttpClient() as client:
        assert asked(client, server).read(10) == b"{}"
        assert kept(client) == 1
        hold.set()


def test_a_body_that_breaks_ends_its_connection() -> None:
    """An answer whose body breaks closes its connection without a close."""
    with ScriptedServer(answer(LENGTH % 9 + b"{}")) as server, HttpClient() as client:
        got = asked(client, server)
        with pytest.raises(RequestFailed):
            got.read(10)
        assert kept(client) == 0
