"""The raw HTTP client: heads, bodies in every framing, and the ways in which they end."""

from __future__ import annotations

import socket
import threading

import pytest

from gateway_shim.parity.play.message import Head, NotHttp, request_bytes
from gateway_shim.parity.play.probe import Ended, ProbeConnection
from tests.gateway_shim.parity.fixed_answer import answering
from tests.support.http.odd_answers import INTERIM
from tests.support.http.scripted_server import ScriptedServer
from tests.support.timing import TIME_LIMIT

_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def _read(port: int, method: str = "GET") -> ProbeConnection:
    connection = ProbeConnection("127.0.0.1", port)
    try:
        connection.write(request_bytes(method, "/"))
        connection.read_head(5)
        connection.read_to_end(5)
    finally:
        connection.close()
    return connection


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_interim_answers_are_skipped(interim: bytes) -> None:
    """The head is that of the final answer, however the network splits the bytes."""
    raw = interim + b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\n{}"
    with answering(raw[:20], raw[20:]) as port:
        connection = _read(port)
    assert (connection.head and connection.head.status, bytes(connection.body)) == (403, b"{}")


def test_switching_protocols_is_an_answer() -> None:
    """The status 101 is an answer."""
    with answering(b"HTTP/1.1 101 Switching\r\n\r\n") as port:
        head = _read(port).head
    assert head is not None
    assert head.status == 101


def test_endless_interim_answers_are_given_up() -> None:
    """Endless interim answers are given up after the time limit."""
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        while not over.wait(0.01):
            connection.sendall(INTERIM["102"])

    with ScriptedServer(drip) as server:
        connection = ProbeConnection("127.0.0.1", server.port)
        connection.write(request_bytes("GET", "/"))
        with pytest.raises(TimeoutError, match=r"within 0\.1 s"):
            connection.read_head(0.1)
        over.set()
        connection.close()


@pytest.mark.parametrize(
    "raw", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 xyz\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"]
)
def test_bytes_that_are_not_http_are_refused(raw: bytes) -> None:
    """Bytes that are not HTTP raise an error, in the parser and on the wire."""
    with pytest.raises(NotHttp):
        Head.parse(raw)
    with answering(raw) as port, pytest.raises(NotHttp):
        _read(port)


def test_chunks_are_seen_one_by_one() -> None:
    """Each chunk is visible, also if the network splits it."""
    with answering(_CHUNKED + b"3\r\nab", b"c\r\n2\r\nde\r\n0\r", b"\n\r\n") as port:
        connection = _read(port)
    assert (bytes(connection.body), connection.chunks) == (b"abcde", [b"abc", b"de"])
    assert connection.ended is Ended.CLEAN


@pytest.mark.parametrize(
    ("answer", "then", "body", "ended"),
    [
        (_CHUNKED + b"1\r\na\r\n", "close", b"a", Ended.EOF),
        (_CHUNKED + b"1\r\na\r\n", "reset", b"a", Ended.RESET),
        (_CHUNKED + b"zz\r\na\r\n", "wait", b"", Ended.MALFORMED),
        (_CHUNKED + b"1\r\nab\r\n", "wait", b"", Ended.MALFORMED),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", "wait", b"ab", Ended.CLEAN),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", "close", b"ab", Ended.EOF),
        (b"HTTP/1.0 200 OK\r\n\r\nab", "close", b"ab", Ended.EOF),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "wait", b"", Ended.CLEAN),
    ],
)
def test_the_ends_of_a_body_are_distinguished(
    answer: bytes, then: str, body: bytes, ended: Ended
) -> None:
    """A clean end, an end of file, a reset and broken framing are distinguished."""
    with answering(answer, then=then) as port:
        connection = _read(port)
    assert (bytes(connection.body), connection.ended) == (body, ended)


def test_an_answer_to_head_has_no_body() -> None:
    """An answer to HEAD has no body, whatever its headers say."""
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", then="wait") as port:
        connection = _read(port, "HEAD")
    assert (bytes(connection.body), connection.ended) == (b"", Ended.CLEAN)


def test_reading_stops_when_it_is_enough_or_time_is_up() -> None:
    """A body that has not ended has no end, and reading stops at the time limit."""
    with answering(_CHUNKED + b"1\r\na\r\n", then="wait") as port:
        connection = ProbeConnection("127.0.0.1", port)
        connection.write(request_bytes("GET", "/"))
        connection.read_head(5)
        seen = connection.read_until(lambda body: body == b"a", 5)
        more = connection.read_until(lambda body: body == b"ab", 0.01)
        connection.close()
    assert (seen, more, connection.ended) == (True, False, None)


def test_a_missing_answer_raises_an_error() -> None:
    """Silence raises a TimeoutError, and an end without an answer a ConnectionError."""
    with answering(then="wait") as port:
        connection = ProbeConnection("127.0.0.1", port)
        connection.write(request_bytes("GET", "/"))
        with pytest.raises(TimeoutError, match=r"no answer within 0.01 s"):
            connection.read_head(0.01)
        connection.close()
    with answering() as port, pytest.raises(ConnectionError, match=r"ended \(eof\)"):
        _read(port)


def test_a_mark_is_taken_out_of_body_and_chunks() -> None:
    """A mark is removed once, and forgetting removes everything."""
    with answering(_CHUNKED + b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n") as port:
        connection = _read(port)
    connection.take_out(b"a")
    assert (bytes(connection.body), connection.chunks) == (b"b", [b"b"])
    connection.forget()
    assert (bytes(connection.body), connection.chunks) == (b"", [])


def test_the_peer_sees_a_reset() -> None:
    """The peer of a reset connection sees a reset."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = ProbeConnection("127.0.0.1", server.getsockname()[1])
        accepted, _ = server.accept()
        connection.reset()
        with accepted, pytest.raises(ConnectionResetError):
            accepted.recv(1)


def test_a_refused_connection_is_an_error() -> None:
    """A refused connection raises an error and leaves no socket open."""
    with answering() as port:
        pass
    with pytest.raises(ConnectionRefusedError):
        ProbeConnection("127.0.0.1", port)


def test_answers_are_read_one_after_the_other() -> None:
    """Bytes that arrived early and interim answers belong to the next answer."""
    raw = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\n"
    )
    with answering(raw) as port:
        connection = ProbeConnection("127.0.0.1", port)
        connection.write(request_bytes("GET", "/"))
        connection.finish_writing()
        connection.read_head(TIME_LIMIT)
        connection.read_to_end(TIME_LIMIT)
        first = bytes(connection.body)
        connection.begin_answer("HEAD")
        second = connection.read_head(TIME_LIMIT)
        assert (first, second.status, connection.interim) == (b"ok", 404, [100])
        assert connection.ended is Ended.CLEAN
        connection.begin_answer("GET")
        with pytest.raises(ConnectionError):
            connection.read_head(TIME_LIMIT)
        connection.close()
