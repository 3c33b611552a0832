"""Connections are counted, and floods do not reach the handlers."""

from __future__ import annotations

import _socket
import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import gevent
import pytest
from gevent.pool import Pool

from gateway_shim.server.connections import request_server
from gateway_shim.server.connections.arrivals import STREAMS_IN_A_ROUND
from gateway_shim.server.connections.request_connections import RequestConnections
from gateway_shim.server.connections.request_server import RequestServer
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason
from tests.gateway_shim.hub_errors import HubErrors
from tests.support.timing import TIME_LIMIT, wait_until

REQUEST = b"GET / HTTP/1.1\r\n\r\n"
STREAMS = 15


class GreetingServer:
    """A server that reads a request and answers ``hello``.

    Args:
        size: how many connections it may have.
    """

    def __init__(self, size: int) -> None:
        self.refusals = RefusalCounts()
        self.connections = RequestConnections(100, lambda address: "", self.refusals)
        self.line = self.connections.add_line(Pool(size), size)
        self.server = RequestServer(
            ("127.0.0.1", 0),
            self.connections,
            self.line,
            is_stream=lambda method, target: (method, target) == ("GET", "/stream"),
            free_streams=lambda: STREAMS,
            handle=self._handle,
        )

    def _handle(self, sock: Any, address: Any) -> None:
        assert gevent.getcurrent() in self.connections
        if sock.recv(100):
            self.connections.work()
            sock.sendall(b"hello")

    def connect(self, stack: ExitStack) -> socket.socket:
        """Connect one more client."""
        client = socket.create_connection(("127.0.0.1", self.server.server_port), TIME_LIMIT)
        return stack.enter_context(client)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    """Provide a stack that closes the clients of a test at its end."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def greeting_server(stack: ExitStack) -> Iterator[GreetingServer]:
    """Provide a server for twenty connections."""
    greeting_server = GreetingServer(20)
    with HubErrors():
        greeting_server.server.start()
        yield greeting_server
        greeting_server.server.stop(timeout=0)
    assert len(greeting_server.connections) == 0


def ask(client: socket.socket) -> None:
    """Send a request, and return the answer."""
    client.sendall(REQUEST)
    assert client.recv(100) == b"hello"


def test_a_flood_stays_in_the_lobby(greeting_server: GreetingServer, stack: ExitStack) -> None:
    """From a quarter of the places on, only connections with a head get handlers."""
    flood = [greeting_server.connect(stack) for _ in range(40)]
    ask(greeting_server.connect(stack))
    wait_until(lambda: len(greeting_server.server._lobby) == 15, "the lobby to be full")
    assert greeting_server.line.count == 5
    assert greeting_server.refusals.by_reason[RefusalReason.CONNECTIONS] == 40 - 5 - 15
    ask(flood[0])  # it has a handler
    ask(flood[-1])  # it waits in the lobby


def test_the_lobby_ends_with_the_server(greeting_server: GreetingServer, stack: ExitStack) -> None:
    """A connection in the lobby gets a handler as soon as its head has arrived."""
    flood = [greeting_server.connect(stack) for _ in range(8)]
    wait_until(lambda: len(greeting_server.server._lobby) == 3, "some to be in the lobby")
    greeting_server.server.close()
    assert flood[-1].recv(1) == b""


def test_a_full_server_lets_nobody_in(greeting_server: GreetingServer, stack: ExitStack) -> None:
    """A connection waits in the lobby until a handler is free."""
    flood = [greeting_server.connect(stack) for _ in range(8)]
    wait_until(lambda: len(greeting_server.server._lobby) == 3, "some to be in the lobby")
    busy = [greeting_server.line.pool.spawn(gevent.sleep, TIME_LIMIT) for _ in range(15)]
    flood[-1].sendall(REQUEST)
    greeting_server.server._lobby.look()
    assert len(greeting_server.server._lobby) == 3
    gevent.killall(busy)
    assert flood[-1].recv(100) == b"hello"


def test_who_left_before_gets_no_handler(
    greeting_server: GreetingServer, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that ended in the listener's queue get no handler."""
    greeting_server.server.stop_accepting()
    for _ in range(40):
        with greeting_server.connect(stack) as left:
            left.shutdown(socket.SHUT_WR)
    entered: list[str] = []
    enter = greeting_server.connections.enter
    monkeypatch.setattr(
        greeting_server.connections, "enter", lambda *args: entered.append(args[2]) or enter(*args)
    )
    client = greeting_server.connect(stack)
    greeting_server.server.start_accepting()
    ask(client)
    assert len(entered) == 1


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE])
def test_no_descriptor_is_left(
    greeting_server: GreetingServer,
    stack: ExitStack,
    number: int,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Without descriptors, a connection is closed, a line is logged, and accepting continues."""
    monkeypatch.setattr(request_server, "_PAUSE_SECONDS", 0.01)
    waiting = greeting_server.connect(stack)
    wait_until(lambda: greeting_server.line.count, "it to have a handler")
    listener = greeting_server.server.socket
    tries = 0

    class Exhausted:
        """A listening socket that fails three times because no descriptor is left."""

        def _accept(self) -> Any:
            nonlocal tries
            tries += 1
            if tries <= 3:
                raise OSError(number, "too many")
            return listener._accept()  # type: ignore[attr-defined]

        def __getattr__(self, name: str) -> Any:
            return getattr(listener, name)

    greeting_server.server.socket = Exhausted()
    ask(greeting_server.connect(stack))
    assert waiting.recv(1) == b""
    assert [record.message for record in caplog.records] == ["no connection can be accepted"] * 3


def test_another_failure_is_gevents(
    greeting_server: GreetingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another error of the listener is raised."""

    class Broken:
        def _accept(self) -> Any:
            raise OSError(errno.EINVAL, "broken")

    listener = greeting_server.server.socket
    greeting_server.server.socket = Broken()
    with pytest.raises(OSError, match="broken"):
        greeting_server.server.do_read()
    greeting_server.server.socket = listener


def test_others_overtake_requests_for_streams(
    greeting_server: GreetingServer, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that ask for a stream get handlers a few at a time."""
    order: list[bytes] = []
    serve = greeting_server.server._handle

    def note(sock: Any, address: Any) -> None:
        order.append(sock.recv(100, socket.MSG_PEEK).split()[1])
        serve(sock, address)

    monkeypatch.setattr(greeting_server.server, "_handle", note)
    targets = [b"/stream"] * (STREAMS_IN_A_ROUND + STREAMS) + [b"/"]
    for target in targets:
        # Not gevent's, which lets the server run: all of them come in one round of its loop.
        client = _socket.socket()
        stack.callback(client.close)
        client.connect(("127.0.0.1", greeting_server.server.server_port))
        client.sendall(b"GET " + target + b" HTTP/1.1\r\n\r\n")
    wait_until(lambda: len(order) == len(targets), "all to have handlers")
    assert order.index(b"/") == STREAMS_IN_A_ROUND
