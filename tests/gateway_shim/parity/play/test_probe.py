"""The raw HTTP probe: heads, bodies in every framing, and how they end."""

from __future__ import annotations

import socket
import threading

import pytest

from gateway_shim.parity.play.message import Head, NotHttp, request_bytes
from gateway_shim.parity.play.probe import Connection, Ended
from tests.gateway_shim.parity.wire_server import answering
from tests.support.http.odd_answers import INTERIM
from tests.support.http.scripted_server import ScriptedServer
from tests.support.timing import TIME_LIMIT

_CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


def _read(port: int, method: str = "GET") -> Connection:
    connection = Connection("127.0.0.1", port)
    try:
        connection.write(request_bytes(method, "/"))
        connection.read_head(5)
        connection.read_to_end(5)
    finally:
        connection.close()
    return connection


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_interim_answers_are_skipped(interim: bytes) -> None:
    """The head is that of the final answer, whatever the network makes of its bytes."""
    raw = interim + b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\n{}"
    with answering(raw[:20], raw[20:]) as port:
        connection = _read(port)
    assert (connection.head and connection.head.status, connection.body) == (403, b"{}")


def test_switching_protocols_is_an_answer() -> None:
    """A gateway that gives it must not be taken for one that gives none."""
    with answering(b"HTTP/1.1 101 Switching\r\n\r\n") as port:
        head = _read(port).head
    assert head is not None
    assert head.status == 101


def test_interim_answers_without_an_end() -> None:
    """They are given up after the time limit."""
    over = threading.Event()

    def drip(connection: socket.socket) -> None:
        while not over.wait(0.01):
            connection.sendall(INTERIM["102"])

    with ScriptedServer(drip) as server:
        connection = Connection("127.0.0.1", server.port)
        connection.write(request_bytes("GET", "/"))
        with pytest.raises(TimeoutError, match=r"within 0\.1 s"):
            connection.read_head(0.1)
        over.set()
        connection.close()


@pytest.mark.parametrize(
    "raw", [b"SSH-2.0-x\r\n\r\n", b"HTTP/1.1 xyz\r\n\r\n", b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n"]
)
def test_what_is_no_http_is_refused(raw: bytes) -> None:
    """Nonsense is told from an answer, in the head and on the wire."""
    with pytest.raises(NotHttp):
        Head.parse(raw)
    with answering(raw) as port, pytest.raises(NotHttp):
        _read(port)


def test_chunks_are_seen_one_by_one() -> None:
    """Chunk framing is visible, also when the network cuts it in the middle."""
    with answering(_CHUNKED + b"3\r\nab", b"c\r\n2\r\nde\r\n0\r", b"\n\r\n") as port:
        connection = _read(port)
    assert (connection.body, connection.chunks) == (b"abcde", [b"abc", b"de"])
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
def test_how_a_body_ends(answer: bytes, then: str, body: bytes, ended: Ended) -> None:
    """A clean end, an end of file, a reset and broken framing are told apart."""
    with answering(answer, then=then) as port:
        connection = _read(port)
    assert (connection.body, connection.ended) == (body, ended)


def test_an_answer_to_head_has_no_body() -> None:
    """Whatever its headers say."""
    with answering(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", then="wait") as port:
        connection = _read(port, "HEAD")
    assert (connection.body, connection.ended) == (b"", Ended.CLEAN)


def test_reading_stops_when_it_is_enough_or_time_is_up() -> None:
    """What has not ended is None, and nothing waits longer than it was told to."""
    with answering(_CHUNKED + b"1\r\na\r\n", then="wait") as port:
        connection = Connection("127.0.0.1", port)
        connection.write(request_bytes("GET", "/"))
        connection.read_head(5)
        seen = connection.read_until(lambda body: body == b"a", 5)
        more = connection.read_until(lambda body: body == b"ab", 0.01)
        connection.close()
    assert (seen, more, connection.ended) == (True, False, None)


def test_no_answer_is_said_so() -> None:
    """Silence is a TimeoutError, an end without an answer a ConnectionError."""
    with answering(then="wait") as port:
        connection = Connection("127.0.0.1", port)
        connection.write(request_bytes("GET", "/"))
        with pytest.raises(TimeoutError, match=r"no answer within 0.01 s"):
            connection.read_head(0.01)
        connection.close()
    with answering() as port, pytest.raises(ConnectionError, match=r"ended \(eof\)"):
        _read(port)


def test_a_mark_is_taken_out_of_body_and_chunks() -> None:
    """Once each; forget empties both."""
    with answering(_CHUNKED + b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n") as port:
        connection = _read(port)
    connection.take_out(b"a")
    assert (connection.body, connection.chunks) == (b"b", [b"b"])
    connection.forget()
    assert (connection.body, connection.chunks) == (b"", [])


def test_a_reset_is_a_reset() -> None:
    """The other side does not see an orderly end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        connection = Connection("127.0.0.1", server.getsockname()[1])
        accepted, _ = server.accept()
        connection.reset()
        with accepted, pytest.raises(ConnectionResetError):
            accepted.recv(1)


def test_nobody_there() -> None:
    """A refused connection is the caller's to handle, and leaves no socket behind."""
    with answering() as port:
        pass
    with pytest.raises(ConnectionRefusedError):
        Connection("127.0.0.1", port)


def test_answers_are_read_one_after_the_other() -> None:
    """Bytes of the next one that came already are its own; interim answers are counted to it."""
    raw = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 5\r\n\r\n"
    )
    with answering(raw) as port:
        connection = Connection("127.0.0.1", port)
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
