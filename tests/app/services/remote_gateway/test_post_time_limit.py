"""The time limit of the POST of one send."""

from __future__ import annotations

import socket
from typing import Any

import gevent
import pytest
from gevent.event import Event as Signal

from app.services.remote_gateway.post import NoAnswer
from tests.app.services.remote_gateway.http_gateway import OK, HttpGateway
from tests.app.services.remote_gateway.test_post import LIMIT, SEND, make_post, outcome_of
from tests.support.http.scripted_server import Script, ScriptedServer
from tests.support.timing import TIME_LIMIT, Stopwatch, wait_until

pytestmark = pytest.mark.slow


def drip(connection: socket.socket) -> None:
    """Send a header that never ends, one byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        connection.sendall(b"y")
        gevent.sleep(LIMIT / 10)


def gush(connection: socket.socket) -> None:
    """Send a body that never ends, as fast as possible."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x" * 65536)


def drip_body(connection: socket.socket) -> None:
    """Send a body that never ends, one byte at a time."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        connection.sendall(b"x")
        gevent.sleep(LIMIT / 10)


def hang(connection: socket.socket) -> None:
    """Send nothing until the other side closes."""
    connection.recv(1)


@pytest.mark.parametrize(
    ("script", "outcome"), [(hang, NoAnswer), (drip, NoAnswer), (drip_body, 200), (gush, 200)]
)
def test_never_longer_than_its_time_limit(script: Script, outcome: int | type[Exception]) -> None:
    """A gateway that sends too slowly, or without end, is given up after the time limit."""
    with ScriptedServer(script) as server, Stopwatch() as watch:
        assert outcome_of(make_post(server.port, time_limit=LIMIT)) == outcome
    assert watch.seconds < 5 * LIMIT


def test_after_no_answer_no_open_connection_is_used(gateway: HttpGateway) -> None:
    """After a send without an answer, the next send uses a new connection."""
    post = make_post(gateway.port, time_limit=5 * LIMIT)
    slow = Signal()

    def respond(send: dict[str, Any]) -> bytes:
        slow.wait()
        return OK

    gateway.respond = respond
    both = [gevent.spawn(post, SEND), gevent.spawn(post, SEND)]
    wait_until(lambda: gateway.most_at_once == 2, "both to wait for an answer")
    slow.set()
    assert [greenlet.get() for greenlet in both] == [200, 200]
    assert gateway.connections == 2
    slow.clear()
    with pytest.raises(NoAnswer):
        post(SEND)
    slow.set()
    both = [gevent.spawn(post, SEND), gevent.spawn(post, SEND)]
    assert [greenlet.get() for greenlet in both] == [200, 200]
    assert gateway.connections == 4


def test_a_killed_greenlet_ends_its_post(gateway: HttpGateway) -> None:
    """A greenlet that is killed during a POST ends at once."""
    gateway.respond = lambda send: gevent.sleep(TIME_LIMIT) or OK  # type: ignore[func-returns-value]
    greenlet = gevent.spawn(make_post(gateway.port), SEND)
    gevent.sleep(0.02)
    greenlet.kill(timeout=TIME_LIMIT)
    assert isinstance(greenlet.value, gevent.GreenletExit)
