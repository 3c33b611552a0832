"""The readiness of a gateway behind a URL."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import gevent
import pytest
from gevent.event import AsyncResult
from gevent.event import Event as Signal
from gevent.server import StreamServer

from app.services.remote_gateway.remote_readiness import CACHE_SECONDS, RemoteGateway, probe
from tests.support.timing import TIME_LIMIT

URL = "http://me:hunter2@gateway.example:3000/base/"


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class FakeGateway:
    """A gateway that answers as the test has set, and records the URLs that were asked."""

    def __init__(self) -> None:
        self.urls: list[str] = []
        self.answer: AsyncResult[str | None] = AsyncResult()

    def __call__(self, url: str) -> str | None:
        """Wait for the answer."""
        self.urls.append(url)
        return self.answer.get()

    def set_problem(self, problem: str | None) -> None:
        """Answer all further requests with a problem, or with None."""
        self.answer = AsyncResult()
        self.answer.set(problem)

    def set_error(self, error: Exception) -> None:
        """Raise an error for all further requests."""
        self.answer = AsyncResult()
        self.answer.set_exception(error)


@pytest.fixture
def clock() -> Clock:
    """Return the fake clock."""
    return Clock()


@pytest.fixture
def gateway() -> FakeGateway:
    """Return the fake gateway."""
    return FakeGateway()


@pytest.fixture
def readiness(gateway: FakeGateway, clock: Clock) -> RemoteGateway:
    """Return the object under test."""
    return RemoteGateway(URL, ask=gateway, clock=clock)


def test_many_probes_cause_one_request(readiness: RemoteGateway, gateway: FakeGateway) -> None:
    """Probes at the same time share one request, also if the first one leaves."""
    probes = [gevent.spawn(readiness.problem) for _ in range(1000)]
    gevent.sleep(0)
    probes[0].kill()
    gateway.answer.set("it says no")
    gevent.joinall(probes, timeout=TIME_LIMIT)
    assert gateway.urls == ["http://me:hunter2@gateway.example:3000/base/readyz"]
    assert {probe.value for probe in probes[1:]} == {"it says no"}


def test_an_answer_is_cached(readiness: RemoteGateway, gateway: FakeGateway, clock: Clock) -> None:
    """A good answer is cached as long as a bad one."""
    gateway.set_problem(None)
    seen = [readiness.problem()]
    gateway.set_problem("down")
    clock.now += CACHE_SECONDS * 0.9
    seen.append(readiness.problem())
    clock.now += CACHE_SECONDS * 0.2
    seen.append(readiness.problem())
    gateway.set_problem(None)
    seen.append(readiness.problem())
    clock.now += CACHE_SECONDS * 1.1
    seen.append(readiness.problem())
    assert (seen, len(gateway.urls)) == ([None, None, "down", "down", None], 3)


def test_an_unexpected_error_is_a_problem(
    readiness: RemoteGateway, gateway: FakeGateway, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """An unexpected error is a problem; the next probe asks again."""
    gateway.set_error(RuntimeError("odd"))
    problem = readiness.problem()
    assert problem == "The gateway could not be asked whether it is ready: RuntimeError: odd"
    gateway.set_problem(None)
    clock.now += CACHE_SECONDS
    assert readiness.problem() is None


def test_only_changes_are_logged(
    readiness: RemoteGateway, gateway: FakeGateway, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """Only changes are logged, without the secrets of the URL."""
    caplog.set_level(logging.INFO)
    for answer in (None, None, "down", "down", "still down", None, None):
        gateway.set_problem(answer)
        readiness.problem()
        clock.now += CACHE_SECONDS
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "the gateway is not ready"),
        ("WARNING", "the gateway is not ready"),
        ("INFO", "the gateway is ready again"),
    ]
    assert [vars(record).get("reason") for record in caplog.records] == ["down", "still down", None]
    assert "hunter2" not in str([vars(record) for record in caplog.records])


# ------------------------------------------------------------------ one request

Serve = Callable[[bytes], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Return a function that serves raw bytes as the answer to every request."""
    servers: list[StreamServer] = []

    def start(answer: bytes) -> str:
        def handle(connection: Any, _: object) -> None:
            if connection.recv(65536):
                connection.sendall(answer)

        server = StreamServer(("127.0.0.1", 0), handle)
        server.start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}/readyz"

    yield start
    for server in servers:
        server.stop(timeout=0)


def test_a_gateway_that_is_ready(serve: Serve) -> None:
    """A status from 200 to 299 means ready; an endless body is not read."""
    assert probe(serve(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) is None
    assert probe(serve(b"HTTP/1.1 204 No Content\r\n\r\n")) is None
    assert probe(serve(b"HTTP/1.1 200 OK\r\n\r\nxxx")) is None
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    assert probe(serve(hints + b"HTTP/1.1 204 No Content\r\n\r\n")) is None


@pytest.mark.parametrize("status", [302, 404, 500, 503])
def test_any_other_answer(serve: Serve, status: int) -> None:
    """Any other status is named; a redirect is not followed."""
    head = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\nLocation: http://127.0.0.1:1/\r\n\r\n" % status
    problem = f"The gateway is not ready: it answered {status} to GET /readyz"
    assert probe(serve(head)) == problem


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
    ],
)
def test_an_unusable_answer_is_not_ready(serve: Serve, answer: bytes) -> None:
    """A status below 200 is not an answer."""
    assert probe(serve(answer)) is not None


def test_a_gateway_that_cannot_be_reached() -> None:
    """The problem does not say which host it is."""
    assert probe("http://127.0.0.1:1/readyz") == "The gateway cannot be reached"
    assert probe("http://[broken/readyz") == "The gateway cannot be reached"


@pytest.mark.parametrize("drip", [False, True])
def test_the_time_limit_is_for_the_whole(drip: bool) -> None:
    """A gateway that sends nothing, or too slowly, is given up."""
    never = Signal()

    def handle(connection: Any, _: object) -> None:
        connection.recv(65536)
        while drip and not never.wait(0.01):
            connection.sendall(b"H")
        never.wait()

    server = StreamServer(("127.0.0.1", 0), handle)
    server.start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/readyz"
        assert probe(url, seconds=0.1) == "The gateway did not answer GET /readyz within 0.1 s"
    finally:
        never.set()
        server.stop(timeout=0)


def test_the_environment_is_ignored(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy variable of the environment changes nothing."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.delenv("no_proxy", raising=False)
    assert probe(serve(b"HTTP/1.1 204 No Content\r\n\r\n")) is None
