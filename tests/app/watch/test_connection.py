"""``SSEConnection``: the request, the events as they arrive, and the ends of a stream."""

from __future__ import annotations

import itertools
import socket
import threading

import pytest

from app.watch.connection import StreamLost
from app.watch.decoder import ServerEvent
from tests.app.watch.connections import EVENT, connection_to, events_of, headers, read_to_end
from tests.support.http.odd_answers import BAD_SET_COOKIE, INTERIM
from tests.support.http.scripted_server import SSE_HEAD, ScriptedServer, answer, chunk, sse_answer


def test_event_comes_at_once() -> None:
    """An event of a few bytes is returned while the stream stays open."""
    hold = threading.Event()
    with ScriptedServer(sse_answer(EVENT, hold=hold)) as server, connection_to(server.port) as c:
        c.open()
        assert next(events_of(c)) == ServerEvent("a", "1", "")
        hold.set()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_event_without_chunks_comes_at_once(version: str) -> None:
    """An event in a body without chunks is returned at once, too."""
    hold = threading.Event()
    head = f"HTTP/{version} 200 OK\r\nContent-Type: text/event-stream\r\n\r\n".encode()
    with ScriptedServer(answer(head, EVENT, hold=hold)) as server, connection_to(server.port) as c:
        c.open()
        events = events_of(c)
        assert next(events) == ServerEvent("a", "1", "")
        hold.set()
        assert list(events) == []


def test_request() -> None:
    """A request asks for an uncompressed event stream and sends the last ID, if any."""
    scripts = [sse_answer("id:  7é\n\n".encode()), sse_answer(b"id\n\n"), sse_answer(EVENT)]
    with ScriptedServer(*scripts) as server, connection_to(server.port) as connection:
        for _ in scripts:
            connection.open()
            read_to_end(connection)
    assert server.requests[0].startswith(b"GET /s?request_id=me HTTP/1.1\r\n")
    first, second, third = map(headers, server.requests)
    assert first.get("Accept") == "text/event-stream"
    assert first.get("Accept-Encoding") == "identity"
    assert first.get("Last-Event-ID") is None
    assert second.get("Last-Event-ID") == "7é".encode().decode("latin-1")
    assert third.get("Last-Event-ID") is None


def test_pieces() -> None:
    """A heartbeat is a piece of data without events; its ID is the next last ID."""
    hold = threading.Event()
    with (
        ScriptedServer(sse_answer(b": heartbeat\nid: 7\n\n", hold=hold)) as server,
        connection_to(server.port) as connection,
    ):
        connection.open()
        assert next(connection.pieces()) == []
        assert connection.last_id == "7"
        hold.set()


def test_retry_is_kept() -> None:
    """The server's ``retry:`` is kept until the server sends another one."""
    with (
        ScriptedServer(sse_answer(b"retry: 1500\n\n"), sse_answer(EVENT)) as server,
        connection_to(server.port) as connection,
    ):
        assert connection.retry_seconds is None
        for _ in range(2):
            connection.open()
            read_to_end(connection)
            assert connection.retry_seconds == 1.5


@pytest.mark.parametrize(
    ("tail", "words"),
    [
        (chunk(b""), ""),
        (b"", "the connection broke: the answer was cut off in the middle"),
        (b"5\r\nab", "the connection broke: the answer was cut off in the middle"),
        (b"fish\r\n", "the connection broke: "),
    ],
)
def test_ends(tail: bytes, words: str) -> None:
    """The ends of a stream are told apart, and the events before them are not lost."""
    with (
        ScriptedServer(answer(SSE_HEAD, chunk(EVENT), tail)) as server,
        connection_to(server.port) as connection,
    ):
        connection.open()
        events, why = read_to_end(connection)
    assert events == [ServerEvent("a", "1", "")]
    assert why.startswith(words)
    assert bool(why) == bool(words)


def test_reset() -> None:
    """A reset ends the stream with the operating system's message."""
    hold = threading.Event()
    with (
        ScriptedServer(sse_answer(EVENT, reset=True, hold=hold)) as server,
        connection_to(server.port) as connection,
    ):
        connection.open()
        events = events_of(connection)
        next(events)
        hold.set()
        with pytest.raises(StreamLost, match="the connection broke: Connection reset by peer"):
            next(events)


def test_silence() -> None:
    """A stream without a byte, not even a heartbeat, is lost after the idle time."""
    hold = threading.Event()
    with (
        ScriptedServer(sse_answer(EVENT, hold=hold)) as server,
        connection_to(server.port, idle_seconds=0.05) as connection,
    ):
        connection.open()
        events, why = read_to_end(connection)
        hold.set()
    assert (len(events), why) == (1, "no byte arrived for 0.05 s, not even a heartbeat")


def test_silent_server() -> None:
    """A server that accepts the connection and sends nothing is lost after the idle time."""
    hold = threading.Event()
    with (
        ScriptedServer(answer(hold=hold)) as server,
        connection_to(server.port, idle_seconds=0.05) as connection,
    ):
        with pytest.raises(StreamLost, match=r"^no answer in time$"):
            connection.open()
        hold.set()


def test_endless_event() -> None:
    """An endless event is given up before it fills the memory."""

    def pour(connection: socket.socket) -> None:
        connection.sendall(SSE_HEAD)
        for piece in itertools.repeat(chunk(b"data: " + b"x" * 1_000_000)):
            connection.sendall(piece)

    with ScriptedServer(pour) as server, connection_to(server.port) as connection:
        connection.open()
        assert read_to_end(connection) == (
            [],
            "the server sent an event of more than 16777216 bytes",
        )


def test_a_body_that_is_not_compressed_as_its_header_says() -> None:
    """A body that is not compressed as its header says ends the stream."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n"
    with ScriptedServer(answer(head, EVENT)) as server, connection_to(server.port) as connection:
        connection.open()
        events, why = read_to_end(connection)
    assert events == []
    assert why.startswith("the connection broke: ")
    assert "gzip" in why


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_interim_answers_are_skipped(interim: bytes) -> None:
    """Interim answers are skipped, and the final answer is the stream."""
    script = answer(interim + SSE_HEAD, chunk(EVENT), chunk(b""))
    with ScriptedServer(script) as server, connection_to(server.port) as connection:
        connection.open()
        assert read_to_end(connection) == ([ServerEvent("a", "1", "")], "")


def test_a_redirect_is_followed() -> None:
    """A redirect is followed, and the last ID is sent to the new address."""
    raw = b"HTTP/1.1 302 Found\r\nLocation: /t\r\nContent-Length: 0\r\n\r\n"
    with (
        ScriptedServer(sse_answer(b"id: 7\n\n"), answer(raw), sse_answer(EVENT)) as server,
        connection_to(server.port) as connection,
    ):
        for _ in range(2):
            connection.open()
            events, _ = read_to_end(connection)
    assert (events, headers(server.requests[2]).get("Last-Event-ID")) == (
        [ServerEvent("a", "1", "7")],
        "7",
    )


def test_no_cookie_travels() -> None:
    """A cookie is not sent with the next request; a malformed one is ignored."""
    head = SSE_HEAD.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n" + BAD_SET_COOKIE + b"\r\n")
    with (
        ScriptedServer(answer(head, chunk(b"")), sse_answer(EVENT)) as server,
        connection_to(server.port) as connection,
    ):
        for _ in range(2):
            connection.open()
            read_to_end(connection)
    assert b"cookie" not in server.requests[1].lower()


def test_events_before_open() -> None:
    """Reading events before ``open`` is an error."""
    with connection_to(1) as connection:
        assert read_to_end(connection) == ([], "not connected")
