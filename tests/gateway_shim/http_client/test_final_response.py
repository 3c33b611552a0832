"""Which bytes are a final answer, over real sockets."""

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
    """Ask a scripted server on one connection, and read every answer's body."""
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
    """Status, phrase and headers are http.client's."""
    (response,) = ask(answer(OK))
    assert (response.status, response.reason, response.version) == (200, "Fine", 11)
    assert response.getheader("X") == "y"


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_interim_answers_are_skipped(interim: bytes) -> None:
    """The final answer is found behind them, and none of their headers is taken for its own."""
    (response,) = ask(answer(interim + OK))
    assert (response.status, response.getheader("Link")) == (200, None)


@pytest.mark.parametrize("interim", INTERIM.values(), ids=INTERIM)
def test_the_connection_can_be_used_again(interim: bytes) -> None:
    """Nothing of an answer is left over for the next request on its connection."""

    def twice(connection: socket.socket) -> None:
        connection.sendall(interim + OK)
        connection.recv(65536)
        connection.sendall(interim + OK.replace(b"Fine", b"Again"))

    assert [response.reason for response in ask(twice, times=2)] == ["Fine", "Again"]


@pytest.mark.parametrize("status", [200, 204, 299, 304, 400, 599])
def test_final_statuses(status: int) -> None:
    """Every status from 200 to 599 is one."""
    (response,) = ask(answer(b"HTTP/1.1 %d\r\nContent-Length: 0\r\n\r\n" % status))
    assert response.status == status


@pytest.mark.parametrize("received", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_no_answer(received: bytes) -> None:
    """All else is an error of http.client's, at once, and says what came."""
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
    """The message is one line for people, without control characters."""
    with pytest.raises(BadAnswer) as raised:
        ask(answer(received))
    assert str(raised.value).startswith(words)


def test_what_is_no_http_is_seen_before_its_line_ends() -> None:
    """A body behind an interim answer does not use up the time limit."""
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
    """They are given up: the fast ones for their number, the slow ones after the time limit."""

    def script(connection: socket.socket) -> None:
        while True:
            connection.sendall(INTERIM["102"])
            if pause:
                time.sleep(pause)

    limit = SHORT if pause else TIME_LIMIT
    with pytest.raises(TimeoutError if pause else BadAnswer):
        ask(script, seconds=limit)


def test_a_head_that_trickles() -> None:
    """The time limit is for all of a head, not for each read."""

    def script(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
        while True:
            connection.sendall(b"y")
            time.sleep(SHORT / 20)

    with pytest.raises(TimeoutError):
        ask(script, seconds=SHORT)


def test_heads_that_are_too_large() -> None:
    """The size of all heads of an answer is bounded, whatever their number is."""
    large = b"HTTP/1.1 103 E\r\nX: %b\r\n\r\n" % (b"x" * 16_000)
    with pytest.raises(BadAnswer, match=f"more than {MAX_HEAD_BYTES} bytes"):
        ask(answer(large * 20))


def test_empty_lines_before_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of them is skipped piece by piece, not byte by byte."""
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
    """After the head, the time limit is again that of each read, as for an event stream."""
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
        # An hour later the head would be too late.
        later = SimpleNamespace(monotonic=lambda: time.monotonic() + 3600)
        monkeypatch.setattr("gateway_shim.http_client.final_response.time", later)
        hold.set()
        assert response.read() == b"{}"
        connection.close()


def test_cookies_are_removed() -> None:
    """A jar finds nothing in the answer, not even something to warn of."""
    head = OK.replace(
        b"X: y\r\n", b"X: y\r\nSet-Cookie: a=b\r\nset-cookie2: c\r\n" + BAD_SET_COOKIE
    )
    (response,) = ask(answer(head))
    assert response.getheaders() == [("Content-Length", "2"), ("X", "y")]


def test_all_of_it_at_once() -> None:
    """An endless flood of interim answers is given up within the loop's turn."""
    with pytest.raises(BadAnswer, match="more than 100 interim answers"):
        ask(pour_interim)
