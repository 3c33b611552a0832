"""Tests of the answers to callbacks: statuses, phrases, redirects, starts of the backend."""

from __future__ import annotations

import logging
import socket

import gevent
import pytest

from gateway_shim.protocol.backend_start import Boot, parse_boot
from gateway_shim.protocol.callbacks import CallbackAnswer, CallbackFailure
from gateway_shim.standalone.http_backend import HttpBackend
from tests.gateway_shim.standalone.callback_server import (
    CONNECT,
    DISCONNECT,
    OK,
    SHORT,
    CallbackServer,
    CallCounter,
    logged,
    sends,
)
from tests.support.http.odd_answers import INTERIM
from tests.support.timing import TIME_LIMIT


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (OK, CallbackAnswer(200, "OK")),
        (b"HTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n", CallbackAnswer(201, "Made")),
        (b"HTTP/1.1 204 No Content\r\n\r\n", CallbackAnswer(204, "No Content")),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            CallbackAnswer(200, "OK"),
        ),
        (b"HTTP/1.1 401 Not You\r\nContent-Length: 0\r\n\r\n", CallbackAnswer(401, "Not You")),
        (b"HTTP/1.1 401\r\nContent-Length: 0\r\n\r\n", CallbackAnswer(401, "")),
        (b"HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\n<p>", CallbackAnswer(500, "Oh")),
        (b"HTTP/1.1 599 X\r\nContent-Length: 0\r\n\r\n", CallbackAnswer(599, "X")),
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
            CallbackAnswer(204, "No Content"),
        ),
    ],
)
def test_status(
    server: CallbackServer, backend: HttpBackend, answer: bytes, expected: CallbackAnswer
) -> None:
    """The status and the phrase are the result, whatever the body is."""
    server.answer = sends(answer)
    assert backend.connect(CONNECT) == expected


@pytest.mark.parametrize(
    ("status", "method"),
    [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")],
)
def test_redirect_is_followed(
    server: CallbackServer, backend: HttpBackend, status: int, method: str
) -> None:
    """A redirect is followed as browsers and Node's fetch do; the last status counts."""
    elsewhere = server.url.replace("callback", "moved")
    head = f"HTTP/1.1 {status} Moved\r\nLocation: {elsewhere}\r\nContent-Length: 0\r\n\r\n"
    answers = [head.encode(), b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"]
    server.answer = lambda sock: sock.sendall(answers.pop(0))
    assert backend.connect(CONNECT) == CallbackAnswer(403, "No")
    assert server.requests[1][0][0] == f"{method} /moved?secret=s HTTP/1.1"


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
@pytest.mark.parametrize("status", [200, 403])
def test_interim_answers_are_skipped(
    server: CallbackServer, backend: HttpBackend, interim: bytes, status: int
) -> None:
    """The status is that of the final answer, and the connection is used again."""
    server.answer = sends(interim + b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
    for _ in range(2):
        assert backend.connect(CONNECT) == CallbackAnswer(status, "X")
    assert server.connections == 1


@pytest.mark.parametrize("location", ["http://[bad", "ftp://x/", "http://h:99999/", "//["])
def test_redirect_to_garbage_is_a_failure(
    server: CallbackServer,
    backend: HttpBackend,
    location: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A redirect to an invalid URL is logged in one line: the backend is not available."""
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    server.answer = sends(head.encode())
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE
    ((message, _, _),) = logged(caplog)
    assert message.startswith("the callback failed: a redirect leads to ")
    assert len(server.requests) == 1


def test_slow_redirects_share_the_time_limit(
    server: CallbackServer, impatient_backend: HttpBackend
) -> None:
    """The time limit applies to all redirects of a callback together."""
    head = f"HTTP/1.1 307 Moved\r\nLocation: {server.url}\r\nContent-Length: 0\r\n\r\n"

    def redirect(sock: socket.socket) -> None:
        gevent.sleep(SHORT / 3)
        sock.sendall(head.encode())

    server.answer = redirect
    assert impatient_backend.connect(CONNECT) is CallbackFailure.TIMEOUT
    assert len(server.requests) < 10


def test_the_start_that_has_answered(server: CallbackServer, backend: HttpBackend) -> None:
    """The header with the backend's start is read from every final answer.

    The status does not matter. After a redirect, only the last answer counts. The answers to
    disconnect callbacks count, too.
    """
    seen: list[tuple[int, str | None]] = []
    real = backend.starts.answered

    def answered(status: int, header: str | None) -> Boot | None:
        seen.append((status, header))
        return real(status, header)

    backend.starts.answered = answered  # type: ignore[method-assign]
    boots = [f"{number}-0f8fad5b-d9cb-469f-a165-70867728950e" for number in range(3)]
    head = "HTTP/1.1 {} X\r\nContent-Length: 0\r\nsse-backend-boot: {}\r\n{}\r\n"
    answers = [
        head.format(200, boots[0], ""),
        head.format(307, boots[0], f"Location: {server.url}\r\n"),
        head.format(403, boots[1], ""),
        head.format(200, boots[2], ""),
        OK.decode(),
    ]
    server.answer = lambda sock: sock.sendall(answers.pop(0).encode())
    assert backend.connect(CONNECT) == CallbackAnswer(200, "X", parse_boot(boots[0]))
    assert backend.connect(CONNECT) == CallbackAnswer(403, "X", parse_boot(boots[1]))
    backend.disconnect(DISCONNECT, CallCounter())
    backend.flush(TIME_LIMIT)
    assert backend.connect(CONNECT) == CallbackAnswer(200, "OK", None)
    assert seen == [(200, boots[0]), (403, boots[1]), (200, boots[2]), (200, None)]


def test_redirect_to_nowhere_is_an_answer(server: CallbackServer, backend: HttpBackend) -> None:
    """A redirect without a Location is not followed; its status is the result."""
    server.answer = sends(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")
    assert backend.connect(CONNECT) == CallbackAnswer(302, "Found")
    assert len(server.requests) == 1


def test_redirects_in_a_circle_are_a_failure(server: CallbackServer, backend: HttpBackend) -> None:
    """A backend that only redirects is not available."""
    head = f"HTTP/1.1 307 Moved\r\nLocation: {server.url}\r\nContent-Length: 0\r\n\r\n"
    server.answer = sends(head.encode())
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE


def test_the_answer_of_a_proxy(
    server: CallbackServer, backend: HttpBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """A 407 means that the backend is not available, because only a proxy may send it."""
    server.answer = sends(b"HTTP/1.1 407 P\r\nContent-Length: 0\r\n\r\n")
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE
    assert [message for message, _, _ in logged(caplog)] == [
        "the callback failed: the answer was 407, which only a proxy may give"
    ]


def test_misdirected(server: CallbackServer, backend: HttpBackend) -> None:
    """A 421 is a result like any other; the request is not repeated."""
    server.answer = sends(b"HTTP/1.1 421 M\r\nContent-Length: 0\r\n\r\n")
    assert backend.connect(CONNECT) == CallbackAnswer(421, "M")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("phrase", "read"),
    [(b" \xc3\xa9", "é"), (b" \xe9", "�"), (b"  a ", " a "), (b' Q"uo\\te', 'Q"uo\\te')],
)
def test_phrases(server: CallbackServer, backend: HttpBackend, phrase: bytes, read: str) -> None:
    """Reason phrases are read as UTF-8, as Node does."""
    server.answer = sends(b"HTTP/1.1 403%b\r\nContent-Length: 0\r\n\r\n" % phrase)
    assert backend.connect(CONNECT) == CallbackAnswer(403, read)


def test_refusals_are_logged(
    server: CallbackServer, backend: HttpBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """Each answer other than 2xx logs one warning; a 2xx logs nothing."""
    backend.connect(CONNECT)
    server.answer = sends(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    backend.connect(CONNECT)
    assert logged(caplog) == [("the callback answered 403", "connect", "t")]
    assert all(record.levelno == logging.WARNING for record in caplog.records)
