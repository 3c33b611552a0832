"""Callbacks to a small HTTP server that answers as each test says."""

from __future__ import annotations

import contextlib
import json
import logging
import socket
import struct
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import IO, Any, Self

import gevent
import pytest
from gevent.event import Event as Signal
from gevent.server import StreamServer

from gateway_shim.http_client import pool as http_pool
from gateway_shim.protocol.backend_start import Boot, parse_boot
from gateway_shim.protocol.callbacks import CallbackAnswer, CallbackFailure
from gateway_shim.standalone import http_backend
from gateway_shim.standalone.http_backend import HttpBackend
from gateway_shim.streams.callbacks.backend import Backend
from tests.gateway_shim.hub_errors import HubErrors
from tests.support.http.odd_answers import BAD_SET_COOKIE, INTERIM, NO_ANSWERS, pour_interim
from tests.support.processes.server import free_port
from tests.support.timing import TIME_LIMIT, wait_until

SHORT = 0.15
"""A time limit that tests are willing to wait for, seconds."""

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
CONNECT = {
    "action": "connect",
    "token": "t",
    "request": {"url": "/a?b", "headers": {"host": "h", "x-latin": "\xe9"}},
}
DISCONNECT = {"action": "disconnect", "reason": "error", "token": "t", "request": {}}

Answer = Callable[[socket.socket], object]


def says(data: bytes) -> Answer:
    """An answer: these bytes."""
    return lambda sock: sock.sendall(data)


class CallbackServer:
    """A context manager: a backend that does with each request what the test says.

    Attributes:
        answer: called with the connection after each request; a true result closes it.
        connections: how many there were.
        requests: head and body of every request.
        at_once: the largest number of requests that were being answered at a time.
    """

    def __init__(self) -> None:
        self.answer: Answer = says(OK)
        self.connections = 0
        self.requests: list[tuple[list[str], bytes]] = []
        self.at_once = 0
        self._answering = 0
        self._server = StreamServer(("127.0.0.1", 0), self._serve)

    def __enter__(self) -> Self:
        """Start to listen."""
        self._server.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop, and cut what is open."""
        self._server.stop(timeout=0)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self._server.server_port}/callback?secret=s"

    def _serve(self, sock: socket.socket, address: object) -> None:
        self.connections += 1
        # That the gateway goes first is what some tests are about.
        with contextlib.suppress(OSError), sock, sock.makefile("rb") as reader:
            self._converse(sock, reader)

    def _converse(self, sock: socket.socket, reader: IO[bytes]) -> None:
        while head := self._read_head(reader):
            lengths = [line for line in head if line.lower().startswith("content-length:")]
            self.requests.append(
                (head, reader.read(int(lengths[0].partition(":")[2]) if lengths else 0))
            )
            self._answering += 1
            self.at_once = max(self.at_once, self._answering)
            try:
                if self.answer(sock):
                    break
            finally:
                self._answering -= 1

    def _read_head(self, reader: IO[bytes]) -> list[str]:
        lines = []
        while line := reader.readline().decode("latin-1").rstrip("\r\n"):
            lines.append(line)
        return lines


@pytest.fixture
def server() -> Iterator[CallbackServer]:
    """A backend that answers 200."""
    with CallbackServer() as server:
        yield server


@pytest.fixture
def backend(server: CallbackServer) -> Iterator[HttpBackend]:
    """Callbacks to it, with a time limit that no test waits for; they must not fail in the hub."""
    backend = HttpBackend(server.url, TIME_LIMIT)
    with HubErrors(), backend._client:
        yield backend


@pytest.fixture
def hasty(server: CallbackServer) -> Iterator[HttpBackend]:
    """Callbacks to it with a short time limit, for tests of that limit."""
    backend = HttpBackend(server.url, SHORT)
    with HubErrors(), backend._client:
        yield backend


class Count:
    """Counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> None:
        """One more."""
        self.calls += 1


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, Any, Any]]:
    """The backend's warnings, with what they are about."""
    return [
        (record.message, getattr(record, "action", None), getattr(record, "token", None))
        for record in caplog.records
        if record.name == "gateway_shim.standalone.http_backend"
    ]


# ------------------------------------------------------------------------- the request


def test_request(server: CallbackServer, backend: HttpBackend) -> None:
    """A callback is a POST of compact JSON in UTF-8 to the URL as it was given."""
    seam: Backend = backend
    assert seam.configured is True
    assert seam.connect(CONNECT) == CallbackAnswer(200, "OK")
    ((head, body),) = server.requests
    assert head[0] == "POST /callback?secret=s HTTP/1.1"
    assert "Content-Type: application/json" in head
    assert body == json.dumps(CONNECT, ensure_ascii=False, separators=(",", ":")).encode()


def test_environment_is_ignored(server: CallbackServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy and no credentials of the environment get between gateway and backend."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    backend = HttpBackend(server.url, TIME_LIMIT)
    with backend._client:
        assert backend.connect(CONNECT) == CallbackAnswer(200, "OK")


def test_cookies_are_not_kept(server: CallbackServer, backend: HttpBackend) -> None:
    """A cookie set in one client's callback does not travel with the next one's."""
    server.answer = says(
        b"HTTP/1.1 200 OK\r\nSet-Cookie: session=first\r\nContent-Length: 0\r\n\r\n"
    )
    backend.connect(CONNECT)
    backend.connect(CONNECT)
    assert not any(
        line.lower().startswith("cookie") for head, _ in server.requests for line in head
    )


# ------------------------------------------------------------------------- answers


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
    """The status and its phrase are the answer, whatever the body."""
    server.answer = says(answer)
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
    server.answer = says(interim + b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status)
    for _ in range(2):
        assert backend.connect(CONNECT) == CallbackAnswer(status, "X")
    assert server.connections == 1


@pytest.mark.parametrize("received", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_no_answer(
    server: CallbackServer,
    backend: HttpBackend,
    received: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A status that no answer ends with is none: it never reaches a browser."""

    def talk(sock: socket.socket) -> bool:
        sock.sendall(received)
        return True

    server.answer = talk
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE
    ((message, _, _),) = logged(caplog)
    assert message.startswith("the callback failed: ")
    assert message.isprintable()
    assert len(caplog.records) == 1


def test_many_interim_answers_without_an_end(server: CallbackServer, backend: HttpBackend) -> None:
    """They are given up for their number."""
    server.answer = pour_interim
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE


def test_slow_interim_answers_without_an_end(server: CallbackServer, hasty: HttpBackend) -> None:
    """They are given up after the time limit."""

    def drip(sock: socket.socket) -> None:
        while True:
            sock.sendall(INTERIM["102"])
            gevent.sleep(SHORT / 10)

    server.answer = drip
    assert hasty.connect(CONNECT) is CallbackFailure.TIMEOUT


@pytest.mark.parametrize("location", ["http://[bad", "ftp://x/", "http://h:99999/", "//["])
def test_redirect_to_garbage_is_a_failure(
    server: CallbackServer,
    backend: HttpBackend,
    location: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A target that is no URL means, in one line, that the backend is not available."""
    head = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"
    server.answer = says(head.encode())
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE
    ((message, _, _),) = logged(caplog)
    assert message.startswith("the callback failed: a redirect leads to ")
    assert len(server.requests) == 1


def test_slow_redirects_share_the_time_limit(server: CallbackServer, hasty: HttpBackend) -> None:
    """Each is in time; all of them together are not."""
    head = f"HTTP/1.1 307 Moved\r\nLocation: {server.url}\r\nContent-Length: 0\r\n\r\n"

    def redirect(sock: socket.socket) -> None:
        gevent.sleep(SHORT / 3)
        sock.sendall(head.encode())

    server.answer = redirect
    assert hasty.connect(CONNECT) is CallbackFailure.TIMEOUT
    assert len(server.requests) < 10


def test_malformed_cookie_is_not_read(
    server: CallbackServer, backend: HttpBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """A cookie jar would warn of it, with a traceback."""
    server.answer = says(b"HTTP/1.1 200 OK\r\n" + BAD_SET_COOKIE + b"Content-Length: 0\r\n\r\n")
    assert backend.connect(CONNECT) == CallbackAnswer(200, "OK")
    assert caplog.records == []


def test_the_start_that_has_answered(server: CallbackServer, backend: HttpBackend) -> None:
    """Whatever the status; behind a redirect, the last answer's; of a disconnect as well."""
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
    backend.disconnect(DISCONNECT, Count())
    backend.flush(TIME_LIMIT)
    assert backend.connect(CONNECT) == CallbackAnswer(200, "OK", None)
    assert seen == [(200, boots[0]), (403, boots[1]), (200, boots[2]), (200, None)]


def test_redirect_to_nowhere_is_an_answer(server: CallbackServer, backend: HttpBackend) -> None:
    """Without a Location there is nothing to follow: the status is the answer."""
    server.answer = says(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n")
    assert backend.connect(CONNECT) == CallbackAnswer(302, "Found")
    assert len(server.requests) == 1


def test_redirects_in_a_circle_are_a_failure(server: CallbackServer, backend: HttpBackend) -> None:
    """A backend that only redirects is not available."""
    head = f"HTTP/1.1 307 Moved\r\nLocation: {server.url}\r\nContent-Length: 0\r\n\r\n"
    server.answer = says(head.encode())
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nnot all of it",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1_000_000,
    ],
)
def test_only_the_status_counts(
    server: CallbackServer, backend: HttpBackend, answer: bytes
) -> None:
    """A body that is broken, or far too long, changes nothing."""

    def break_off(sock: socket.socket) -> bool:
        sock.sendall(answer)
        return True

    server.answer = break_off
    assert backend.connect(CONNECT) == CallbackAnswer(200, "OK")
    server.answer = says(OK)
    assert backend.connect(CONNECT) == CallbackAnswer(200, "OK")


@pytest.mark.parametrize("start", [OK[:-2], b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n"])
def test_body_that_trickles(server: CallbackServer, hasty: HttpBackend, start: bytes) -> None:
    """A body that does not end in time changes nothing either: the status was there."""

    def trickle(sock: socket.socket) -> None:
        sock.sendall(start)
        while True:
            gevent.sleep(SHORT / 10)
            sock.sendall(b"x")

    server.answer = trickle
    started = time.monotonic()
    assert hasty.connect(CONNECT) == CallbackAnswer(200, "OK")
    assert time.monotonic() - started < TIME_LIMIT / 2


@pytest.mark.parametrize("status", [200, 403])
def test_the_head_decides(server: CallbackServer, backend: HttpBackend, status: int) -> None:
    """Nobody waits for a body, however long it takes; when it has come, its connection is kept."""
    end = Signal()

    def answer(sock: socket.socket) -> None:
        sock.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 2\r\n\r\n" % status)
        end.wait()
        sock.sendall(b"{}")

    server.answer = answer
    assert backend.connect(CONNECT) == CallbackAnswer(status, "X")
    end.set()
    wait_until(lambda: not backend._unread._awaited, "the body to be read")
    assert backend.connect(CONNECT) == CallbackAnswer(status, "X")
    assert (server.connections, len(server.requests)) == (1, 2)


def test_the_head_of_a_redirect_decides(server: CallbackServer, backend: HttpBackend) -> None:
    """It is followed although its body never ends."""
    answers = [
        b"HTTP/1.1 307 M\r\nLocation: /next\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n",
    ]
    server.answer = lambda sock: sock.sendall(answers.pop(0))
    assert backend.connect(CONNECT) == CallbackAnswer(403, "No")
    gevent.sleep(0)  # the body is awaited now
    backend._unread._awaited.kill()


def test_bodies_without_an_end_are_bounded(server: CallbackServer) -> None:
    """A backend that never ends its bodies holds so many connections and no more."""
    backend = HttpBackend(server.url, TIME_LIMIT, bodies_at_once=3)
    open_now: set[socket.socket] = set()

    def answer(sock: socket.socket) -> bool:
        open_now.add(sock)
        sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        sock.recv(1)  # until the other side has had enough
        open_now.remove(sock)
        return True

    server.answer = answer
    failed = Count()
    for _ in range(20):
        assert backend.connect(CONNECT) == CallbackAnswer(200, "OK")
        backend.disconnect(DISCONNECT, failed)
    backend.flush(TIME_LIMIT)
    wait_until(lambda: len(open_now) == 3, "all but three connections to be closed")
    assert (failed.calls, len(server.requests)) == (0, 40)
    backend._unread._awaited.kill()


def test_the_answer_of_a_proxy(
    server: CallbackServer, backend: HttpBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """407 is a proxy's: there is none, and the backend is not available, as to Node's fetch."""
    server.answer = says(b"HTTP/1.1 407 P\r\nContent-Length: 0\r\n\r\n")
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE
    assert [message for message, _, _ in logged(caplog)] == [
        "the callback failed: it was answered 407"
    ]


def test_misdirected(server: CallbackServer, backend: HttpBackend) -> None:
    """421 is an answer like any other: nothing is asked twice."""
    server.answer = says(b"HTTP/1.1 421 M\r\nContent-Length: 0\r\n\r\n")
    assert backend.connect(CONNECT) == CallbackAnswer(421, "M")
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("phrase", "read"),
    [(b" \xc3\xa9", "é"), (b" \xe9", "�"), (b"  a ", " a "), (b' Q"uo\\te', 'Q"uo\\te')],
)
def test_phrases(server: CallbackServer, backend: HttpBackend, phrase: bytes, read: str) -> None:
    """They are UTF-8, as Node reads them."""
    server.answer = says(b"HTTP/1.1 403%b\r\nContent-Length: 0\r\n\r\n" % phrase)
    assert backend.connect(CONNECT) == CallbackAnswer(403, read)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/%41%2f%zz", "/%41%2f%zz"),
        ("\\cb ", "/cb"),
        ('/a|b"<>{}^`', "/a|b%22%3C%3E%7B%7D^%60"),
        ("/cb?a='\"<>b", "/cb?a=%27%22%3C%3Eb"),
        ("/a/../b/./c#f", "/b/c"),
        ("?x", "/?x"),
    ],
)
def test_targets(server: CallbackServer, path: str, target: str) -> None:
    """CALLBACK_URL is normalized as Node does it, and no more."""
    port = server.url.split(":")[2].split("/")[0]
    backend = HttpBackend(f"http://127.0.0.1:{port}{path}", TIME_LIMIT)
    with backend._client:
        assert backend.connect(CONNECT) == CallbackAnswer(200, "OK")
    assert server.requests[0][0][0] == f"POST {target} HTTP/1.1"


# ------------------------------------------------------------------------- no answer


def test_no_answer_in_time(
    server: CallbackServer, hasty: HttpBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """A backend that says nothing is given up after the time limit."""
    server.answer = lambda sock: gevent.sleep(3600)
    started = time.monotonic()
    assert hasty.connect(CONNECT) is CallbackFailure.TIMEOUT
    assert SHORT * 0.9 < time.monotonic() - started < TIME_LIMIT / 2
    assert logged(caplog) == [("the callback was not answered in time", "connect", "t")]


def test_head_that_trickles(server: CallbackServer, hasty: HttpBackend) -> None:
    """The limit is for the whole answer's head, not for each read of it."""

    def trickle(sock: socket.socket) -> None:
        for byte in b"HTTP/1.1 200 OK\r\n" * 1000:
            sock.sendall(bytes([byte]))
            gevent.sleep(SHORT / 10)

    server.answer = trickle
    started = time.monotonic()
    assert hasty.connect(CONNECT) is CallbackFailure.TIMEOUT
    assert time.monotonic() - started < TIME_LIMIT / 2
    server.answer = says(OK)
    assert hasty.connect(CONNECT) == CallbackAnswer(200, "OK")


def test_default_time_limit() -> None:
    """The time limit is the contract's, unless a test says otherwise."""
    assert HttpBackend("http://127.0.0.1:1/")._time_limit == 5


def test_refused(caplog: pytest.LogCaptureFixture) -> None:
    """A backend that is not there is unavailable, and the log says why."""
    backend = HttpBackend(f"http://127.0.0.1:{free_port()}/", TIME_LIMIT)
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE
    ((message, action, token),) = logged(caplog)
    assert message.startswith("the callback failed: ")
    assert "refused" in message
    assert (action, token) == ("connect", "t")


def test_reset(server: CallbackServer, backend: HttpBackend) -> None:
    """A connection that is reset is no answer."""

    def reset(sock: socket.socket) -> bool:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        return True

    server.answer = reset
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"hello\r\n\r\n",
        b"SSH-2.0-x\r\n",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 99 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x" * 100_000 + b": 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: 1\r\n" * 10_000 + b"\r\n",
    ],
)
def test_garbage(server: CallbackServer, backend: HttpBackend, garbage: bytes) -> None:
    """What is no HTTP is no answer."""

    def talk(sock: socket.socket) -> bool:
        sock.sendall(garbage)
        return True

    server.answer = talk
    assert backend.connect(CONNECT) is CallbackFailure.UNAVAILABLE


@pytest.mark.parametrize(
    "url", ["no url", "ftp://127.0.0.1/", "http://", "http://[::1/", "http://\ud800/"]
)
def test_url_that_cannot_work(url: str) -> None:
    """With a URL that is none, the backend is unavailable."""
    assert HttpBackend(url, TIME_LIMIT).connect(CONNECT) is CallbackFailure.UNAVAILABLE


def test_refusals_are_logged(
    server: CallbackServer, backend: HttpBackend, caplog: pytest.LogCaptureFixture
) -> None:
    """Every answer that is no 2xx is one warning; a 2xx is none."""
    backend.connect(CONNECT)
    server.answer = says(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")
    backend.connect(CONNECT)
    assert logged(caplog) == [("the callback answered 403", "connect", "t")]
    assert all(record.levelno == logging.WARNING for record in caplog.records)


# ------------------------------------------------------------------------- connections


@pytest.mark.parametrize(
    "answer",
    [
        OK,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 403 No\r\nContent-Length: 4\r\n\r\nbody",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
    ],
)
def test_keep_alive(server: CallbackServer, backend: HttpBackend, answer: bytes) -> None:
    """Callbacks that follow each other use one connection."""
    server.answer = says(answer)
    for _ in range(5):
        backend.connect(CONNECT)
    assert (server.connections, len(server.requests)) == (1, 5)


def test_idle_connection_that_was_closed(server: CallbackServer, backend: HttpBackend) -> None:
    """A kept connection that the backend has closed meanwhile is replaced."""

    def answer_and_close(sock: socket.socket) -> bool:
        sock.sendall(OK)
        sock.shutdown(socket.SHUT_RDWR)
        return True

    server.answer = answer_and_close
    for _ in range(3):
        assert backend.connect(CONNECT) == CallbackAnswer(200, "OK")
        gevent.sleep(0.01)
    assert server.connections == 3


def test_idle_connections_are_closed(
    server: CallbackServer, backend: HttpBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a crowd its connections end, also if nobody calls back any more."""
    monkeypatch.setattr(http_pool, "_IDLE_SECONDS", 0.05)
    monkeypatch.setattr(http_backend, "_SWEEP_SECONDS", 0.01)
    transport: Any = backend._client._transport
    for _ in range(2):
        connects = [gevent.spawn(backend.connect, CONNECT) for _ in range(10)]
        gevent.joinall(connects, timeout=TIME_LIMIT, raise_error=True)
        wait_until(lambda: not any(transport._kept.values()), "all connections to be closed")
        wait_until(lambda: backend._sweeper is None, "the search for them to end")


def test_connects_do_not_wait_for_each_other(server: CallbackServer, backend: HttpBackend) -> None:
    """Each connect is asked about at once, however many there are."""
    everybody = Signal()

    def answer(sock: socket.socket) -> None:
        if server.at_once == 50:
            everybody.set()
        everybody.wait()
        sock.sendall(OK)

    server.answer = answer
    asking = [gevent.spawn(backend.connect, CONNECT) for _ in range(50)]
    gevent.joinall(asking, timeout=TIME_LIMIT)
    assert [greenlet.value for greenlet in asking] == [CallbackAnswer(200, "OK")] * 50


# ------------------------------------------------------------------------- disconnects


def test_disconnect(server: CallbackServer, backend: HttpBackend) -> None:
    """A disconnect is told without waiting for the answer; a flush waits for it."""
    gate = Signal()

    def answer(sock: socket.socket) -> None:
        gate.wait()
        sock.sendall(OK)

    server.answer = answer
    failed = Count()
    backend.disconnect(DISCONNECT, failed)
    wait_until(lambda: server.requests, "the disconnect")
    flushing = gevent.spawn(backend.flush, TIME_LIMIT)
    gevent.sleep(0)
    assert not flushing.ready()
    gate.set()
    flushing.get(timeout=TIME_LIMIT / 2)
    assert json.loads(server.requests[0][1]) == DISCONNECT
    assert failed.calls == 0


def test_ask(server: CallbackServer, backend: HttpBackend) -> None:
    """The backend is told the end of a stream that never was, and says which start it is."""
    boot = "7-0f8fad5b-d9cb-469f-a165-70867728950e"
    server.answer = says(OK.replace(b"\r\n\r\n", f"\r\nSSE-Backend-Boot: {boot}\r\n\r\n".encode()))
    backend.starts.ask()
    body = json.loads(server.requests[0][1])
    assert body.pop("token")
    nowhere = {"url": "/", "headers": {}}
    assert body == {"action": "disconnect", "reason": "server_closed", "request": nowhere}
    assert backend.starts._newest == parse_boot(boot)


@pytest.mark.parametrize(
    "answer",
    [
        says(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"),
        says(b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n\r\n"),
        lambda sock: True,
        lambda sock: gevent.sleep(3600),
    ],
)
def test_disconnect_fails(server: CallbackServer, hasty: HttpBackend, answer: Answer) -> None:
    """A disconnect that does not arrive, or is not accepted, is tried once, and counted."""
    server.answer = answer
    failed = Count()
    hasty.disconnect(DISCONNECT, failed)
    hasty.flush(TIME_LIMIT)
    assert (failed.calls, len(server.requests)) == (1, 1)


def test_disconnects_at_once(server: CallbackServer) -> None:
    """So many disconnects are under way at a time and no more; all of them arrive."""
    backend = HttpBackend(server.url, TIME_LIMIT, disconnects_at_once=32)
    gate = Signal()

    def answer(sock: socket.socket) -> None:
        gate.wait()
        sock.sendall(OK)

    def tell_all() -> None:
        for number in range(100):
            backend.disconnect(DISCONNECT | {"token": str(number)}, failed)

    server.answer = answer
    failed = Count()
    with backend._client:
        telling = gevent.spawn(tell_all)
        wait_until(lambda: server.at_once == 32, "as many as there may be")
        assert not telling.ready()  # the others wait until one of these is answered
        gate.set()
        telling.get(timeout=TIME_LIMIT)
        backend.flush(TIME_LIMIT)
    told = {json.loads(body)["token"] for _, body in server.requests}
    assert told == {str(number) for number in range(100)}
    assert server.at_once == 32
    assert failed.calls == 0


def test_a_crowd_does_not_connect_at_one_instant(
    server: CallbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections come in steps, which a backend's accept queue can hold."""
    monkeypatch.setattr("gateway_shim.standalone.http_backend._STEP_SECONDS", 3600)
    backend = HttpBackend(server.url, TIME_LIMIT)
    gate = Signal()

    def answer(sock: socket.socket) -> None:
        gate.wait()
        sock.sendall(OK)

    def tell_all() -> None:
        for _ in range(200):
            backend.disconnect(DISCONNECT, Count())

    server.answer = answer
    with backend._client:
        telling = gevent.spawn(tell_all)
        wait_until(lambda: server.at_once == 64, "the first step")
        assert (len(backend._disconnects), telling.ready()) == (64, False)
        telling.kill()
        gate.set()
        backend.flush(TIME_LIMIT)


def test_flush_has_a_time_limit(server: CallbackServer) -> None:
    """A flush waits no longer than it is told to."""
    server.answer = lambda sock: gevent.sleep(3600)
    backend = HttpBackend(server.url)
    backend.disconnect(DISCONNECT, Count())
    started = time.monotonic()
    backend.flush(0.05)
    assert time.monotonic() - started < TIME_LIMIT / 2
    backend.flush(0)
    backend._disconnects.kill()


def test_flush_of_nothing(backend: HttpBackend) -> None:
    """With nothing under way, a flush is over."""
    backend.flush(TIME_LIMIT)


def test_a_backend_whose_queue_is_full_is_not_told() -> None:
    """The kernel drops the connect and repeats it after 1, 3 and 7 s: time-out, and no callback."""
    with socket.socket() as listener, contextlib.ExitStack() as others:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):  # more than the queue takes
            waiting = others.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listener.getsockname())
        backend = HttpBackend(f"http://127.0.0.1:{listener.getsockname()[1]}/", SHORT)
        assert backend.connect(CONNECT) is CallbackFailure.TIMEOUT
        others.close()
        listener.settimeout(SHORT)
        with contextlib.suppress(TimeoutError):
            while True:
                accepted, _ = listener.accept()
                with accepted:
                    accepted.settimeout(TIME_LIMIT)
                    assert accepted.recv(1) == b""
