"""Tests of the final answer, over real sockets."""

from __future__ import annotations

import http.client
import io
import socket
import threading
import time
from types import SimpleNamespace

import pytest

from gateway_shim.http_client.final_response import MAX_HEAD_BYTES, BadAnswer, FinalResponse
from tests.support.http.odd_answers import BAD_SET_COOKIE, INTERIM, NO_ANSWERS, pour_interim
from tests.support.http.scripted_server import Script, ScriptedServer, answer
from tests.support.timing import TIME_LIMIT

SHORT = 0.2
"""A time limit that tests are willing to wait for, seconds."""

OK = b"HTTP/1.1 200 Fine\r\nContent-Length: 2\r\nX: y\r\n\r\n{}"


def ask(script: Script, *, seconds: float = TIME_LIMIT, times: int = 1) -> list[FinalResponse]:
    """Send requests to a scripted server on one connection, and read the body of every answer."""
    answers = []
    with ScriptedServer(script) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=seconds)
        connection.response_class = FinalResponse
        try:
            for _ in range(times):
                connection.request("GET", "/")
                response = connection.getresponse()
                assert isinstance(response, FinalResponse)
                response.read()
                answers.append(response)
        finally:
            connection.close()
    return answers


def test_the_usual_answer() -> None:
    """The status, phrase and headers are those of http.client."""
    (response,) = ask(answer(OK))
    assert (response.status, response.reason, response.version) == (200, "Fine", 11)
    assert response.getheader("X") == "y"


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_interim_answers_are_skipped(interim: bytes) -> None:
    """Interim answers and their headers are skipped."""
    (response,) = ask(answer(interim + OK))
    assert (response.status, response.getheader("Link")) == (200, None)


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_the_connection_can_be_used_again(interim: bytes) -> None:
    """An answer leaves no bytes for the next request on its connection."""

    def twice(connection: socket.socket) -> None:
        connection.sendall(interim + OK)
        connection.recv(65536)
        connection.sendall(interim + OK.replace(b"Fine", b"Again"))

    assert [response.reason for response in ask(twice, times=2)] == ["Fine", "Again"]


@pytest.mark.parametrize("status", [200, 204, 299, 304, 400, 599])
def test_final_statuses(status: int) -> None:
    """Every status from 200 to 599 is final."""
    (response,) = ask(answer(b"HTTP/1.1 %d\r\nContent-Length: 0\r\n\r\n" % status))
    assert response.status == status


@pytest.mark.parametrize("received", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_no_answer(received: bytes) -> None:
    """Every other status is at once an error of http.client that shows it."""
    with pytest.raises(http.client.HTTPException) as raised:
        ask(answer(received))
    assert str(raised.value)


@pytest.mark.parametrize(
    ("received", "words"),
    [
        (
            NO_ANSWERS["600"],
            "the server answered with the status 600; a final answer has one from 200 to 599",
        ),
        (NO_ANSWERS["099"], "the server answered with the status 099; a final answer has one"),
        (NO_ANSWERS["too_many_interim"], "the server sent more than 100 interim answers"),
        (b"SSH-2.0-x\r\n", r"the server's answer is not HTTP/1: 'SSH-2.0-x'"),
        (b"\x00\x1b[2J\xff", r"the server's answer is not HTTP/1: '\x00\x1b[2J\xff'"),
        (b"x" * 200 + b"\r\n", f"the server's answer is not HTTP/1: '{'x' * 100}'…"),
    ],
)
def test_words(received: bytes, words: str) -> None:
    """The message is one readable line without control characters."""
    with pytest.raises(BadAnswer) as raised:
        ask(answer(received))
    assert str(raised.value).startswith(words)


def test_a_body_after_an_interim_answer() -> None:
    """A body after an interim answer is an error at once, not after the time limit."""
    hold = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(NO_ANSWERS["199_with_a_body"])
        hold.wait(TIME_LIMIT)

    with ScriptedServer(script) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIME_LIMIT)
        connection.response_class = FinalResponse
        connection.request("GET", "/")
        with pytest.raises(BadAnswer, match="not HTTP/1"):
            connection.getresponse()
        connection.close()
        hold.set()


@pytest.mark.parametrize("pause", [0.0, SHORT / 20])
def test_interim_answers_without_an_end(pause: float) -> None:
    """Endless interim answers end by their number if they are fast, else by the time limit."""

    def script(connection: socket.socket) -> None:
        while True:
            connection.sendall(INTERIM["102"])
            if pause:
                time.sleep(pause)

    limit = SHORT if pause else TIME_LIMIT
    with pytest.raises(TimeoutError if pause else BadAnswer):
        ask(script, seconds=limit)


def test_a_head_that_trickles() -> None:
    """The time limit applies to the whole head, not to each read."""

    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            connection.sendall(b"y")
            time.sleep(SHORT / 20)

    with pytest.raises(TimeoutError):
        ask(script, seconds=SHORT)


def test_heads_that_are_too_large() -> None:
    """The size of all heads of an answer together is limited."""
    large = b"HTTP/1.1 103 E\r\nX: %b\r\n\r\n" % (b"x" * 16_000)
    with pytest.raises(BadAnswer, match=f"more than {MAX_HEAD_BYTES} bytes"):
        ask(answer(large * 20))


def test_empty_lines_before_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of empty lines is skipped in large pieces, not byte by byte."""
    reads = []

    class Counting(io.BufferedReader):
        def read(self, size: int | None = -1, /) -> bytes:
            reads.append(size)
            return super().read(size)

    monkeypatch.setattr("gateway_shim.http_client.final_response.io.BufferedReader", Counting)
    (response,) = ask(answer(b"\r\n" * 100_000 + OK))
    assert response.reason == "Fine"
    assert len(reads) < 1000


def test_a_slow_body_has_the_limit_for_each_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the head, the time limit applies to each read, as an event stream needs it."""
    hold = threading.Event()

    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{")
        hold.wait(TIME_LIMIT)
        connection.sendall(b"}")

    with ScriptedServer(script) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIME_LIMIT)
        connection.response_class = FinalResponse
        connection.request("GET", "/")
        response = connection.getresponse()
        assert connection.sock.gettimeout() == TIME_LIMIT
        # The time limit of the head has passed an hour later.
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 3600)
        monkeypatch.setattr("gateway_shim.http_client.final_response.time", later)
        hold.set()
        assert response.read() == b"{}"
        connection.close()


def test_cookies_are_removed() -> None:
    """A cookie jar finds no cookie in the answer, and logs no warning."""
    head = OK.replace(
        b"X: y\r\n", b"X: y\r\nSet-Cookie: a=b\r\nset-cookie2: c\r\n" + BAD_SET_COOKIE
    )
    (response,) = ask(answer(head))
    assert response.getheaders() == [("Content-Length", "2"), ("X", "y")]


def test_a_flood_of_interim_answers() -> None:
    """An endless flood of interim answers ends within one turn of the loop."""
    with pytest.raises(BadAnswer, match="more than 100 interim answers"):
        ask(pour_interim)
