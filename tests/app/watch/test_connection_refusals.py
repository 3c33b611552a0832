"""The answers of a server that are not a stream."""

from __future__ import annotations

import gzip
import ssl

import pytest
import trustme
from gevent.pywsgi import WSGIServer

from app.watch.connection import SSEConnection, StreamLost, StreamRefused
from gateway_shim.parity.ports import free_port
from tests.app.watch.connections import EVENT, connection_to, read_to_end
from tests.support.http.odd_answers import NO_ANSWERS, pour_interim
from tests.support.http.scripted_server import ScriptedServer, answer, sse_answer
from tests.support.timing import TIME_LIMIT


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
        (b"200 OK", b"<html>", "answered without a Content-Type, expected text/event-stream"),
        (
            b"200 OK\r\nContent-Type: text/html",
            b"",
            "answered with text/html, expected text/event-stream",
        ),
        (
            b"302 Found\r\nLocation: fish://x",
            b"",
            "cannot be requested: a redirect leads to 'fish://x'",
        ),
    ],
)
def test_refused(head: bytes, body: bytes, words: str) -> None:
    """A final answer is a refusal with the server's own message."""
    raw = b"HTTP/1.1 %b\r\nContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
    with (
        ScriptedServer(answer(raw)) as server,
        connection_to(server.port) as connection,
        pytest.raises(StreamRefused) as caught,
    ):
        connection.open()
    assert str(caught.value).startswith(words)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_temporary_answers(status: int) -> None:
    """An answer that means "later" is not a refusal, and the next answer may be a stream."""
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
    """An error whose body never arrives is reported by its status."""
    raw = b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\n\r\n{"
    with (
        ScriptedServer(answer(raw)) as server,
        connection_to(server.port) as connection,
        pytest.raises(StreamRefused, match=r"^answered 404 Not Found$"),
    ):
        connection.open()


def test_a_refused_connection() -> None:
    """A refused connection is reported in plain words."""
    with (
        connection_to(free_port()) as connection,
        pytest.raises(StreamLost, match=r"^Connection refused$"),
    ):
        connection.open()


def test_server_hangs_up() -> None:
    """A server that closes the connection without an answer is reported in plain words."""
    with (
        ScriptedServer() as server,
        connection_to(server.port) as connection,
        pytest.raises(StreamLost, match=r"^Remote end closed connection without response$"),
    ):
        connection.open()


def test_certificate_that_is_not_valid() -> None:
    """An invalid certificate is a refusal, because it will not change."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    server = WSGIServer(
        ("127.0.0.1", 0), lambda *_: [], log=None, error_log=None, ssl_context=context
    )
    server.start()
    url = f"https://127.0.0.1:{server.server_port}/"
    with (
        SSEConnection(url, idle_seconds=TIME_LIMIT) as connection,
        pytest.raises(StreamRefused, match=r"^has an invalid certificate: .*verify"),
    ):
        connection.open()
    server.stop(timeout=0)


@pytest.mark.parametrize("received", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_no_answer(received: bytes) -> None:
    """A malformed answer means that the server has failed, and the next answer may be good."""
    with (
        ScriptedServer(answer(received)) as server,
        connection_to(server.port) as connection,
        pytest.raises(StreamLost) as raised,
    ):
        connection.open()
    assert str(raised.value).isprintable()


def test_interim_answers_without_an_end() -> None:
    """Endless interim answers are given up."""
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
    """A redirect that leads nowhere is a refusal, because the next answer would be the same."""
    raw = b"HTTP/1.1 302 Found\r\nLocation: %b\r\nContent-Length: 0\r\n\r\n" % location
    with (
        ScriptedServer(*[answer(raw)] * 30) as server,
        connection_to(server.port) as connection,
        pytest.raises(StreamRefused) as raised,
    ):
        connection.open()
    assert str(raised.value) == f"cannot be requested: {words}"


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
    """The error of a temporary answer has the time of its ``Retry-After``."""
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
