"""The number of connections, and which of them are closed to make room."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

import gevent
import pytest
from gevent.event import Event as Signal
from gevent.pool import Pool

from gateway_shim.server.requests.connections import MadeRoom, RequestConnections
from gateway_shim.server.requests.crowds import Line
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason
from tests.gateway_shim.sockets import tcp_pair
from tests.support.timing import TIME_LIMIT, wait_until

PER_ADDRESS = 3


class Crowd:
    """The connections of one worker, with one handler each.

    Attributes:
        refusals: what was refused.
        connections: those under test.
    """

    def __init__(self) -> None:
        self.refusals = RefusalCounts()
        self.connections = RequestConnections(
            PER_ADDRESS, lambda address: "" if address == "local" else address, self.refusals
        )
        self.visits: list[Visit] = []

    def line(self, size: int) -> Line:
        """Add a listener with a number of handlers."""
        return self.connections.add_line(Pool(size), size)

    def visit(
        self, line: Line, address: str = "local", *, idle: bool = False, body: bool = False
    ) -> Visit:
        """Add a connection whose handler waits, if it is admitted."""
        visit = Visit(self.connections, line, address, idle=idle, body=body)
        self.visits.append(visit)
        return visit

    def refused(self, reason: RefusalReason = RefusalReason.CONNECTIONS) -> int:
        """Return how many connections were refused for a reason."""
        return self.refusals.by_reason[reason]


class Visit:
    """A connection and its handler.

    Attributes:
        came_in: whether there was room for it.
    """

    def __init__(
        self,
        connections: RequestConnections,
        line: Line,
        address: str,
        *,
        idle: bool,
        body: bool = False,
    ) -> None:
        self.made_room = False
        self.client, self.server = tcp_pair()
        self._connections = connections
        self.came_in: bool | None = None
        self.is_crowded = False
        self.work = Signal()
        self.done = Signal()
        self.handler = line.pool.spawn(self._serve, line, address, idle, body)
        wait_until(lambda: self.came_in is not None, "the handler to run")

    def _serve(self, line: Line, address: str, idle: bool, body: bool) -> None:
        came_in = self._connections.enter(line, self.server.fileno(), address)
        try:
            if came_in and idle:
                self._connections.wait_idle()
            self.is_crowded = self._connections.is_crowded
            self.came_in = came_in
            if came_in and body:
                with self._connections.receive():
                    self.server.recv(1)
                self.done.wait()
            elif came_in:
                self.server.recv(1)
                self._connections.work()
                self.work.set()
                self.done.wait()
        except MadeRoom:
            self.made_room = True
        finally:
            self._connections.leave()

    @property
    def is_open(self) -> bool:
        """True if the client has not seen the end of the connection."""
        plain = self.client._sock
        try:
            return bool(plain.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b"")
        except BlockingIOError:
            return True

    def begin(self) -> None:
        """Let the handler work."""
        self.client.sendall(b"x")
        assert self.work.wait(TIME_LIMIT)

    def close(self) -> None:
        """End the connection."""
        self.handler.kill()
        self.client.close()
        self.server.close()


@pytest.fixture
def crowd() -> Iterator[Crowd]:
    """A worker without connections; at the end of the test none may be left."""
    crowd = Crowd()
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: [visit.close() for visit in crowd.visits])
        yield crowd
    assert len(crowd.connections) == 0
    assert not crowd.connections._addresses
    for line in crowd.connections._lines:
        assert (line.count, line.waiting, line.receiving, line.idle) == (0, {}, {}, {})


def opened(visits: list[Visit]) -> list[bool]:
    """Return which of the connections are open."""
    return [visit.is_open for visit in visits]


def test_the_longest_waiting_makes_room(crowd: Crowd) -> None:
    """A tenth of the handlers stays free: the connection that has waited longest is closed."""
    line, other = crowd.line(20), crowd.line(20)
    visits = [crowd.visit(line) for _ in range(20)]
    crowd.visit(other)
    assert opened(visits) == [False] * 2 + [True] * 18
    assert all(visit.came_in for visit in crowd.visits)
    assert crowd.refused() == 2
    assert len(crowd.connections) == 19


def test_who_works_is_not_closed(crowd: Crowd) -> None:
    """A working connection is not closed, nor one with unread bytes."""
    line = crowd.line(10)
    visits = [crowd.visit(line) for _ in range(9)]
    visits[0].begin()
    visits[1].client.sendall(b"x")
    gevent.sleep(0)  # the bytes are there, and the handler has not run
    visits[1].work.clear()
    visits += [crowd.visit(line)]
    assert opened(visits[:2]) == [True, True]
    assert opened(visits).count(False) == 1


def test_all_work(crowd: Crowd) -> None:
    """The last free handler accepts one more connection; then none is free."""
    line = crowd.line(10)
    visits = [crowd.visit(line) for _ in range(9)]
    for visit in visits:
        visit.begin()
    assert crowd.visit(line).came_in
    assert line.pool.full()
    assert crowd.refused() == 0


def test_more_handlers_than_connections(crowd: Crowd) -> None:
    """Over TLS, the handlers of streams do not count against the limit of connections."""
    line = crowd.connections.add_line(Pool(100), 10)
    visits = [crowd.visit(line) for _ in range(12)]
    assert opened(visits) == [False] * 2 + [True] * 10
    for visit in visits[2:]:
        visit.begin()
    assert crowd.visit(line).came_in is False
    assert crowd.refused() == 3


def test_per_address(crowd: Crowd) -> None:
    """If an address has too many connections, the one that has waited longest is closed."""
    line = crowd.line(100)
    other = crowd.visit(line, "b")
    visits = [crowd.visit(line, "a") for _ in range(4)]
    assert opened([other, *visits]) == [True, False, True, True, True]
    assert crowd.refused(RefusalReason.CONNECTIONS_PER_ADDRESS) == 1
    for visit in visits[1:]:
        visit.begin()
    assert crowd.visit(line, "a").came_in is False
    assert crowd.refused(RefusalReason.CONNECTIONS_PER_ADDRESS) == 2
    assert crowd.connections.are_many(line, "a")
    assert not crowd.connections.are_many(line, "b")
    visits[1].done.set()
    visits[1].handler.join(TIME_LIMIT)
    assert crowd.visit(line, "a").came_in


def test_who_is_not_counted(crowd: Crowd) -> None:
    """Loopback addresses have no limit of their own."""
    line = crowd.line(100)
    assert all(crowd.visit(line).came_in for _ in range(PER_ADDRESS + 5))
    assert not crowd.connections._addresses


def test_half_may_be_idle(crowd: Crowd) -> None:
    """If half of the places are idle, the longest idle connection is closed without a refusal."""
    line = crowd.line(10)
    visits = [crowd.visit(line, idle=True) for _ in range(6)]
    assert opened(visits) == [False] + [True] * 5
    crowd.connections.close_idle()
    assert opened(visits) == [False] * 6
    assert len(crowd.connections) == 0


def test_an_idle_connection_makes_room_for_others(crowd: Crowd) -> None:
    """An idle connection is closed first, and does not count as refused."""
    line = crowd.line(10)
    idle = crowd.visit(line, idle=True)
    visits = [crowd.visit(line) for _ in range(9)]
    assert opened([idle, *visits]) == [False] + [True] * 9
    assert crowd.refused() == 0


def test_a_body_that_does_not_come_makes_room(crowd: Crowd) -> None:
    """If no connection waits, the one that has received longest is closed."""
    line = crowd.line(10)
    visits = [crowd.visit(line, body=True) for _ in range(12)]
    gone = len(visits) - 9
    assert opened(visits) == [False] * gone + [True] * 9
    gevent.joinall([visit.handler for visit in visits[:gone]], TIME_LIMIT)
    assert [visit.made_room for visit in visits] == [True] * gone + [False] * 9
    assert crowd.refused() == gone


def test_heads_make_room_before_bodies(crowd: Crowd) -> None:
    """A waiting connection is closed before a receiving one, also within one address."""
    line = crowd.line(10)
    body = crowd.visit(line, "a", body=True)
    heads = [crowd.visit(line, "a") for _ in range(PER_ADDRESS)]
    assert opened([body, *heads]) == [True, False, True, True]
    for head in heads[1:]:
        head.begin()
    assert crowd.visit(line, "a").came_in
    assert not body.is_open


def test_a_body_that_has_come_makes_no_room(crowd: Crowd) -> None:
    """A connection whose request is being answered is not closed."""
    line = crowd.line(10)
    visits = [crowd.visit(line, body=True) for _ in range(8)]
    assert crowd.connections.working == 8
    for visit in visits:
        visit.client.sendall(b"x")
    wait_until(lambda: not line.receiving, "the bodies to be read")
    heads = [crowd.visit(line) for _ in range(2)]
    assert all(opened(visits))
    assert opened(heads) == [False, True]
    assert crowd.connections.working == 8


def test_many(crowd: Crowd) -> None:
    """From a quarter of the places on, a new connection must send its head first."""
    line = crowd.line(8)
    crowd.visit(line)
    assert not crowd.connections.are_many(line, "a")
    crowd.visit(line)
    assert crowd.connections.are_many(line, "a")


def test_close_longest_of_all(crowd: Crowd) -> None:
    """close_longest() closes one waiting connection of any listener."""
    crowd.line(10)
    line = crowd.line(10)
    assert not crowd.connections.close_longest()
    visit = crowd.visit(line)
    assert crowd.connections.close_longest()
    assert not visit.is_open


def test_leave_and_resume(crowd: Crowd) -> None:
    """A stream does not count, until it is refused."""
    line = crowd.line(10)
    handler = gevent.getcurrent()
    client, server = tcp_pair()
    assert crowd.connections.enter(line, server.fileno(), "a")
    place = crowd.connections.leave()
    assert place is not None
    assert (handler in crowd.connections, line.count) == (False, 0)
    assert crowd.connections.leave() is None
    crowd.connections.work()
    crowd.connections.wait()
    crowd.connections.wait_idle()
    assert line.waiting == {}
    crowd.connections.resume(place)
    assert (handler in crowd.connections, line.count) == (True, 1)
    assert line.waiting == {}
    crowd.connections.leave()
    client.close()
    server.close()


def test_a_broken_connection_is_not_looked_at_twice(crowd: Crowd) -> None:
    """A broken connection is skipped; the next one makes room."""
    line = crowd.line(10)
    visits = [crowd.visit(line) for _ in range(9)]
    visits[0].client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    visits[0].client.close()
    visits.append(crowd.visit(line))
    assert visits[2].is_open


def test_crowded(crowd: Crowd) -> None:
    """Each listener has its own reserve of free places."""
    other, line = crowd.line(20), crowd.line(20)
    crowded = [crowd.visit(line).is_crowded for _ in range(19)]
    assert crowded == [False] * 18 + [True]
    assert not crowd.visit(other).is_crowded
    assert not crowd.connections.is_crowded  # there is no handler that asks
