"""The connections of a worker, with clients and handlers."""

from __future__ import annotations

import socket

from gevent.event import Event as Signal
from gevent.pool import Pool

from gateway_shim.server.connections.connection_groups import Line
from gateway_shim.server.connections.request_connections import MadeRoom, RequestConnections
from gateway_shim.streams.refusal_counts import RefusalCounts, RefusalReason
from tests.gateway_shim.sockets import tcp_pair
from tests.support.timing import TIME_LIMIT, wait_until

__all__ = ["PER_ADDRESS", "ClientConnection", "WorkerConnections", "opened"]

PER_ADDRESS = 3


class WorkerConnections:
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
        self.visits: list[ClientConnection] = []

    def line(self, size: int) -> Line:
        """Add a listener with a number of handlers."""
        return self.connections.add_line(Pool(size), size)

    def visit(
        self, line: Line, address: str = "local", *, idle: bool = False, body: bool = False
    ) -> ClientConnection:
        """Add a connection whose handler waits, if it is admitted."""
        visit = ClientConnection(self.connections, line, address, idle=idle, body=body)
        self.visits.append(visit)
        return visit

    def refused(self, reason: RefusalReason = RefusalReason.CONNECTIONS) -> int:
        """Return how many connections were refused for a reason."""
        return self.refusals.by_reason[reason]


class ClientConnection:
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


def opened(visits: list[ClientConnection]) -> list[bool]:
    """Return which of the connections are open."""
    return [visit.is_open for visit in visits]
