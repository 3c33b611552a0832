"""Connections are counted, and floods do not reach the handlers."""

from __future__ import annotations

import _socket
import errno
import socket
from contextlib import ExitStack
from typing import Any

import gevent
import pytest

from gateway_shim.server.connections import request_server
from gateway_shim.server.connections.arrivals import STREAMS_IN_A_ROUND
from gateway_shim.streams.refusal_counts import RefusalReason
from tests.gateway_shim.server.connections.greeting_server import (
    REQUEST,
    STREAMS,
    GreetingServer,
    ask,
)
from tests.support.timing import TIME_LIMIT, wait_until


def test_a_flood_stays_in_the_lobby(greeting_server: GreetingServer, stack: ExitStack) -> None:
    """From a quarter of the places on, only connections with a head get handlers."""
    flood = [greeting_server.connect(stack) for _ in range(40)]
    ask(greeting_server.connect(stack))
    wait_until(lambda: len(greeting_server.server._lobby) == 15, "the lobby to be full")
    wait_until(lambda: greeting_server.line.count == 5, "the others to have handlers")
    assert greeting_server.refusals.by_reason[RefusalReason.CONNECTIONS] == 40 - 5 - 15
    ask(flood[0])  # it has a handler
    ask(flood[-1])  # it waits in the lobby


def test_requests_that_come_late(
    greeting_server: GreetingServer, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection has no handler until its request is there, or takes too long."""
    late = greeting_server.server._late
    monkeypatch.setattr(late, "_clock", lambda: 0.0)  # no time passes
    started: list[int] = []
    handle = greeting_server.server._handle
    monkeypatch.setattr(
        greeting_server.server, "_handle", lambda *args: started.append(1) or handle(*args)
    )
    clients = [greeting_server.connect(stack) for _ in range(4)]
    wait_until(lambda: len(late) == 4, "them to be accepted")
    assert (started, greeting_server.server.count) == ([], 4)
    ask(clients[1])
    clients[2].close()
    wait_until(lambda: len(late) == 2, "the end of one to be noticed")
    assert len(started) == 1
    monkeypatch.setattr(late, "_clock", lambda: 1.0)
    wait_until(lambda: len(started) == 3, "the others to have handlers")


def test_a_late_request_for_a_stream(
    greeting_server: GreetingServer, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes its turn among the requests for streams."""
    monkeypatch.setattr(greeting_server.server._late, "_clock", lambda: 0.0)  # no time passes
    client = greeting_server.connect(stack)
    wait_until(lambda: greeting_server.server.count == 1, "it to be accepted")
    taken: list[bytes] = []
    arrivals = greeting_server.server._arrivals
    take = arrivals.take

    def note(sock: _socket.socket, address: Any) -> bool:
        taken.append(sock.recv(100, socket.MSG_PEEK))
        return take(sock, address)

    monkeypatch.setattr(arrivals, "take", note)
    request = b"GET /stream HTTP/1.1\r\n\r\n"
    client.sendall(request)
    assert client.recv(100) == b"hello"
    assert taken == [request]


def test_streams_open_beside_many_that_have_sent_nothing(stack: ExitStack) -> None:
    """A stream needs no handler, so connections that are only watched are no reason for one."""
    opened: list[bytes] = []

    class Openings:
        def take(self, sock: _socket.socket, *_: Any) -> bool:
            opened.append(sock.recv(100))
            sock.close()
            return True

        def close(self) -> None:
            """Do nothing."""

        def __len__(self) -> int:
            return 0

    greeting_server = GreetingServer(20, openings=Openings())
    greeting_server.server.start()
    stack.callback(greeting_server.server.stop, timeout=0)
    late = greeting_server.server._late
    late._clock = lambda: 0.0  # no time passes
    clients = [greeting_server.connect(stack) for _ in range(6)]
    wait_until(lambda: (len(late), len(greeting_server.server._lobby)) == (5, 1), "all to wait")
    for client in (clients[5], greeting_server.connect(stack), clients[0]):
        client.sendall(b"GET /stream HTTP/1.1\r\n\r\n")
        assert client.recv(1) == b""
    assert len(opened) == 3
    assert greeting_server.line.count == 0


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
    wait_until(lambda: greeting_server.line.count == 5, "the others to have handlers")
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


class ScriptedBalance:
    """A balance whose answers the test decides.

    Attributes:
        rooms: the answers of ``room``; the last one is repeated.
        resumed: for each pause, whether a connection waited at its end.
    """

    def __init__(self, *rooms: int) -> None:
        self.rooms = list(rooms)
        self.resumed: list[bool] = []

    def room(self) -> int:
        """Return the next answer."""
        return self.rooms.pop(0) if len(self.rooms) > 1 else self.rooms[0]

    def pause(self) -> float:
        """Return the length of a pause, seconds."""
        return 0.001

    def resume(self, *, waiting: bool) -> None:
        """Note the end of a pause."""
        self.resumed.append(waiting)


def test_a_pause_for_other_workers(greeting_server: GreetingServer, stack: ExitStack) -> None:
    """A worker that must pause leaves a connection to others, and takes it if nobody does."""
    balance: Any = ScriptedBalance(0, 0, 5)
    greeting_server.server.balance = balance
    client = greeting_server.connect(stack)
    wait_until(lambda: greeting_server.server.count == 1, "the connection to be accepted")
    assert balance.resumed == [True, True]
    ask(client)


def test_a_pause_after_which_nothing_waits(
    greeting_server: GreetingServer, stack: ExitStack
) -> None:
    """A connection that another worker takes during the pause does not wait at its end."""
    listener: Any = greeting_server.server.socket

    class TakenMeanwhile(ScriptedBalance):
        def pause(self) -> float:
            descriptor, _ = listener._accept()
            socket.socket(fileno=descriptor).close()
            return super().pause()

    balance: Any = TakenMeanwhile(0)
    greeting_server.server.balance = balance
    greeting_server.connect(stack)
    wait_until(lambda: balance.resumed, "the end of the pause")
    assert balance.resumed == [False]


def test_a_stop_during_a_pause(greeting_server: GreetingServer, stack: ExitStack) -> None:
    """A server that stops during a pause accepts nothing afterwards."""
    balance: Any = ScriptedBalance(0)
    greeting_server.server.balance = balance
    greeting_server.connect(stack)
    wait_until(lambda: balance.resumed, "the end of a pause")
    greeting_server.server.close()
    gevent.sleep(0.01)
    ends = len(balance.resumed)
    gevent.sleep(0.01)
    assert len(balance.resumed) == ends
