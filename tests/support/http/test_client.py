"""Tests of the raw HTTP client, with a scripted server."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from tests.support.http.client import BrokenHTTP, Connection, Ended, Head, request, request_bytes
from tests.support.http.message import Body
from tests.support.http.odd_answers import INTERIM
from tests.support.http.scripted_server import ScriptedServer, answer, chunk
from tests.support.timing import TimeLimitPassed

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def test_request_bytes() -> None:
    """Only Host and Content-Length are added, if they are missing."""
    assert request_bytes("GET", "/a?b") == b"GET /a?b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    assert request_bytes("GET", "/", version="1.0") == b"GET / HTTP/1.0\r\n\r\n"
    assert (
        request_bytes("POST", "/", [("host", "x"), ("X", "é")], b"ab")
        == b"POST / HTTP/1.1\r\nhost: x\r\nX: \xe9\r\nContent-Length: 2\r\n\r\nab"
    )


def test_request_sends_and_reads() -> None:
    """One call sends a JSON body, and returns the head and the body of the response."""
    head = b"HTTP/1.1 404 Not Found\r\nContent-Length: 8\r\nX: y\r\n\r\n"
    with ScriptedServer(answer(head, b'{"a": 1}')) as server:
        response = request(server.port, "POST", "/p", json_body={"b": 2})
    assert server.requests[0].startswith(b"POST /p HTTP/1.1\r\nHost: 127.0.0.1\r\n")
    assert response.head == Head("1.1", 404, "Not Found", [("Content-Length", "8"), ("X", "y")])
    assert (response.status, response.json(), response.ended) == (404, {"a": 1}, Ended.CLEAN)


CHUNKED_HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("pieces", "ended"),
    [
        ([chunk(b"abc"), chunk(b"")], "clean"),
        ([chunk(b"abc")], "eof"),
        ([chunk(b"abc"), b"3\r\nab"], "eof"),
    ],
)
def test_clean_end_and_cut(pieces: list[bytes], ended: str) -> None:
    """A body without its final chunk has not ended cleanly."""
    with ScriptedServer(answer(CHUNKED_HEAD, *pieces)) as server:
        response = request(server.port, "GET", "/")
    assert (response.body, response.chunks, response.ended) == (b"abc", [b"abc"], ended)


def test_reset_inside_body() -> None:
    """A reset and a closed connection are different ends."""
    hold = threading.Event()
    with (
        ScriptedServer(answer(CHUNKED_HEAD, reset=True, hold=hold)) as server,
        Connection(server.port) as connection,
    ):
        connection.send(request_bytes("GET", "/"))
        body = Body.of(connection.read_head(), "GET")
        hold.set()
        assert connection.read_body(body) == (b"", Ended.RESET)


def test_two_answers_on_one_connection() -> None:
    """Interim responses are skipped, and the bytes after the final response begin the next one."""
    with (
        ScriptedServer(answer(INTERIM["several"] + OK + OK)) as server,
        Connection(server.port) as connection,
    ):
        connection.send(request_bytes("GET", "/"))
        assert [connection.read_response().body for _ in range(2)] == [b"ok", b"ok"]
        assert connection.wait_closed() is Ended.EOF


def test_http_1_0_body_ends_with_connection() -> None:
    """A body without framing ends cleanly with its connection."""
    with ScriptedServer(answer(b"HTTP/1.0 200 OK\r\n\r\n", b"all of it")) as server:
        response = request(server.port, "GET", "/", version="1.0")
    assert (response.head.version, response.body, response.ended) == ("1.0", b"all of it", "clean")


def test_connection_ends_inside_headers() -> None:
    """A response that stops inside its headers raises an error."""
    with (
        ScriptedServer(answer(b"HTTP/1.1 200 OK\r\nCont")) as server,
        pytest.raises(BrokenHTTP, match="inside the headers"),
    ):
        request(server.port, "GET", "/")


def test_bytes_after_the_end() -> None:
    """Bytes in the place of the end of the connection raise an error."""
    with ScriptedServer(answer(OK + b"stray")) as server, Connection(server.port) as connection:
        connection.send(request_bytes("GET", "/"))
        connection.read_response()
        with pytest.raises(BrokenHTTP, match="stray"):
            connection.wait_closed()


def test_silence_passes_the_time_limit() -> None:
    """The error after the time limit names the thing that the client waited for."""
    with (
        ScriptedServer(answer()) as server,
        Connection(server.port) as connection,
        pytest.raises(TimeLimitPassed, match="a sign"),
    ):
        connection.receive(time.monotonic() + 0.01, "a sign")


def test_reset_reaches_the_peer() -> None:
    """``reset`` sends an RST, which the peer sees as an error."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connection = Connection(listener.getsockname()[1])
        peer, _ = listener.accept()
        with peer:
            connection.reset()
            with pytest.raises(ConnectionResetError):
                peer.recv(1)
