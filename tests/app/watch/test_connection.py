"""Connections to servers that behave, and to all the others."""

from __future__ import annotations

import gzip
import itertools
import socket
import ssl
import threading

import pytest
import trustme
from gevent.pywsgi import WSGIServer

from app.watch.connection import SSEConnection, StreamLost, StreamRefused
from app.watch.decoder import ServerEvent
from tests.support.http import Head
from tests.support.odd_answers import BAD_SET_COOKIE, INTERIM, NO_ANSWERS, pour_interim
from tests.support.scripted import SSE_HEAD, ScriptedServer, answer, chunk, sse_answer
from tests.support.server import free_port
from tests.support.timing import TIME_LIMIT

EVENT = b"event: a\ndata: 1\n\n"


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is for the world, not for loopback."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def connection_to(port: int, idle_seconds: float = TIME_LIMIT) -> SSEConnection:
    """A connection to a server on loopback, not opened yet."""
    return SSEConnection(f"http://127.0.0.1:{port}/s?request_id=me", idle_seconds=idle_seconds)


def read_to_end(connection: SSEConnection) -> tuple[list[ServerEvent], str]:
    """The events of a stream that is open, and what is said of its end; nothing if it is clean."""
    events: list[ServerEvent] = []
    try:
        for event in connection.events():
            events.append(event)
    except StreamLost as exc:
        return events, str(exc)
    return events, ""


def test_event_comes_at_once() -> None:
    """An event of a few bytes is handed on while the stream stays open."""
    hold = threading.Event()
    with ScriptedServer(sse_answer(EVENT, hold=hold)) as server, connection_to(server.port) as c:
        c.open()
        assert next(c.events()) == ServerEvent("a", "1", "")
        hold.set()


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_event_without_chunks_comes_at_once(version: str) -> None:
    """So is one in a body that ends with its connection."""
    hold = threading.Event()
    head = f"HTTP/{version} 200 OK\r\nContent-Type: text/event-stream\r\n\r\n".encode()
    with ScriptedServer(answer(head, EVENT, hold=hold)) as server, connection_to(server.port) as c:
        c.open()
        events = c.events()
        assert next(events) == ServerEvent("a", "1", "")
        hold.set()
        assert list(events) == []


def test_request() -> None:
    """A stream is asked for as one, uncompressed, and with the last id if there was one."""
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


def headers(request: bytes) -> Head:
    """A request's headers, to be looked up like those of an answer."""
    lines = request.removesuffix(b"\r\n\r\n").split(b"\r\n")
    return Head.parse(b"\r\n".join([b"HTTP/1.1 200 -", *lines[1:]]))


def test_retry_is_kept() -> None:
    """What the server asks for is kept until it asks for something else."""
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
    """Each end of a stream is told from the others; the events before it are not lost."""
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
    """A reset is an end like others, in the words of the operating system."""
    hold = threading.Event()
    with (
        ScriptedServer(sse_answer(EVENT, reset=True, hold=hold)) as server,
        connection_to(server.port) as connection,
    ):
        connection.open()
        events = connection.events()
        next(events)
        hold.set()
        with pytest.raises(StreamLost, match="the connection broke: Connection reset by peer"):
            next(events)


def test_silence() -> None:
    """A stream on which nothing comes, not even a heartbeat, is given up."""
    hold = threading.Event()
    with (
        ScriptedServer(sse_answer(EVENT, hold=hold)) as server,
        connection_to(server.port, idle_seconds=0.05) as connection,
    ):
        connection.open()
        events, why = read_to_end(connection)
        hold.set()
    assert (len(events), why) == (1, "nothing came for 0.05 s, not even a heartbeat")


def test_silent_server() -> None:
    """A server that takes the connection and says nothing is given up as well."""
    hold = threading.Event()
    with (
        ScriptedServer(answer(hold=hold)) as server,
        connection_to(server.port, idle_seconds=0.05) as connection,
    ):
        with pytest.raises(StreamLost, match=r"^no answer in time$"):
            connection.open()
        hold.set()


def test_endless_event() -> None:
    """An event that does not end is given up before it fills the memory."""

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


@pytest.mark.parametrize(
    ("head", "body", "words"),
    [
        (b"404 Not Found", b'{"error": "no such page"}', "answered 404 Not Found: no such page"),
        (
            b"401 Unauthorized",
            b'{"error": {"message": "Backend says no", "code": "X"}}',
            "answered 401 Unauthorized: Backend says no",
        ),
        (b"400 Bad Request", b"<html>", "answered 400 Bad Request"),
        (b"403 ", b'{"error": null}', "answered 403: None"),
        (b"403 No", b"[" * 4000, "answered 403 No"),
        (b"204 No Content", b"", "answered 204 No Content"),
        (b"200 OK", b"<html>", "answered something, which is no event stream"),
        (b"200 OK\r\nContent-Type: text/html", b"", "answered text/html, which is no event stream"),
        (
            b"302 Found\r\nLocation: fish://x",
            b"",
            "cannot be asked: a redirect leads to 'fish://x'",
        ),
    ],
)
def test_refused(head: bytes, body: bytes, words: str) -> None:
    """An answer that asking again would not change is a refusal, in the server's own words."""
    raw = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
    with (
        ScriptedServer(answer(raw)) as server,
        connection_to(server.port) as connection,
        pytest.raises(StreamRefused) as caught,
    ):
        connection.open()
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_answers_that_heal(status: int) -> None:
    """An answer that says "later" is no refusal, and the next one may be a stream."""
    body = gzip.compress(b'{"error": "wait"}')
    raw = b"HTTP/1.1 %d Hm\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (
        status,
        len(body),
        body,
    )
    with (
        ScriptedServer(answer(raw), sse_answer(EVENT)) as server,
        connection_to(server.port) as connection,
    ):
        with pytest.raises(StreamLost, match=f"^answered {status} Hm: wait$"):
            connection.open()
        connection.open()
        assert len(read_to_end(connection)[0]) == 1


def test_error_body_that_breaks() -> None:
    """An error whose body never comes is reported by its status."""
    raw = b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\n{"
    with (
        ScriptedServer(answer(raw)) as server,
        connection_to(server.port) as connection,
        pytest.raises(StreamRefused, match=r"^answered 404 Not Found$"),
    ):
        connection.open()


def test_nobody_listens() -> None:
    """A refused connection is reported in plain words."""
    with (
        connection_to(free_port()) as connection,
        pytest.raises(StreamLost, match=r"^Connection refused$"),
    ):
        connection.open()


def test_server_hangs_up() -> None:
    """A server that takes the request and closes is reported in plain words."""
    with (
        ScriptedServer() as server,
        connection_to(server.port) as connection,
        pytest.raises(StreamLost, match=r"^Remote end closed connection without response$"),
    ):
        connection.open()


def test_body_that_is_not_what_its_headers_say() -> None:
    """A body that claims a compression it does not have is an end like others."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Encoding: gzip\r\n\r\n"
    with ScriptedServer(answer(head, EVENT)) as server, connection_to(server.port) as connection:
        connection.open()
        events, why = read_to_end(connection)
    assert events == []
    assert why.startswith("the connection broke: ")
    assert "gzip" in why


def test_certificate_that_is_not_valid() -> None:
    """A certificate will be as invalid the next time, so there is no next time."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = WSGIServer(
        ("127.0.0.1", 0), lambda *_: [], log=None, error_log=None, ssl_context=context
    )
    server.start()
    url = f"https://127.0.0.1:{server.server_port}/"
    with (
        SSEConnection(url, idle_seconds=TIME_LIMIT) as connection,
        pytest.raises(StreamRefused, match=r"^shows a certificate that is not valid: .*verify"),
    ):
        connection.open()
    server.stop(timeout=0)


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_interim_answers_are_skipped(interim: bytes) -> None:
    """The stream is the final answer."""
    script = answer(interim + SSE_HEAD, chunk(EVENT), chunk(b""))
    with ScriptedServer(script) as server, connection_to(server.port) as connection:
        connection.open()
        assert read_to_end(connection) == ([ServerEvent("a", "1", "")], "")


@pytest.mark.parametrize("received", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_no_answer(received: bytes) -> None:
    """What no client can use is a server that failed: it may be there again in a moment."""
    with (
        ScriptedServer(answer(received)) as server,
        connection_to(server.port) as connection,
        pytest.raises(StreamLost) as raised,
    ):
        connection.open()
    assert str(raised.value).isprintable()


def test_interim_answers_without_an_end() -> None:
    """They are given up like silence."""
    with (
        ScriptedServer(pour_interim) as server,
        connection_to(server.port) as connection,
        pytest.raises(StreamLost, match="more than 100 interim answers"),
    ):
        connection.open()


@pytest.mark.parametrize(
    ("location", "words"),
    [
        (b"http://[bad", "a redirect leads to 'http://[bad', which is not an http(s) URL"),
        (b"ftp://x/", "a redirect leads to 'ftp://x/', which is not an http(s) URL"),
        (b"/again", "more than 20 redirects"),
    ],
)
def test_a_redirect_to_nowhere(location: bytes, words: str) -> None:
    """It is refused in one line: the next answer would be the same."""
    raw = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location
    with (
        ScriptedServer(*[answer(raw)] * 30) as server,
        connection_to(server.port) as connection,
        pytest.raises(StreamRefused) as raised,
    ):
        connection.open()
    assert str(raised.value) == f"cannot be asked: {words}"


def test_a_redirect_is_followed() -> None:
    """The stream may have moved; the last id goes along."""
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
    """What one answer sets is not sent with the next request; a malformed one is not read."""
    head = SSE_HEAD.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b\r\n" + BAD_SET_COOKIE + b"\r\n")
    with (
        ScriptedServer(answer(head, chunk(b"")), sse_answer(EVENT)) as server,
        connection_to(server.port) as connection,
    ):
        for _ in range(2):
            connection.open()
            read_to_end(connection)
    assert b"cookie" not in server.requests[1].lower()


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"7", 7.0),
        (b"Thu, 01 Jan 1970 00:02:00 GMT", 20.0),
        (b"soon", None),
    ],
)
def test_retry_after(status: int, value: bytes, seconds: float | None) -> None:
    """What an answer that says "later" asks for is on the error."""
    raw = b"HTTP/1.1 %d Hm\r\nRetry-After: %b\r\nContent-Length: 0\r\n\r\n" % (status, value)
    with (
        ScriptedServer(answer(raw)) as server,
        SSEConnection(
            f"http://127.0.0.1:{server.port}/", idle_seconds=TIME_LIMIT, now=lambda: 100.0
        ) as connection,
        pytest.raises(StreamLost) as raised,
    ):
        connection.open()
    assert raised.value.retry_after == seconds


def test_events_before_open() -> None:
    """There are no events before there is a connection."""
    with connection_to(1) as connection:
        assert read_to_end(connection) == ([], "not connected")
