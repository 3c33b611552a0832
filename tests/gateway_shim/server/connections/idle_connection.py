"""A connection that waits for its next request, for tests of keep-alive connections."""

from __future__ import annotations

from collections.abc import Callable

import gevent
from gevent.pool import Pool
from gunicorn.http.unreader import SocketUnreader

from gateway_shim.server.connections.keep_alive import KeptConnections
from gateway_shim.server.connections.request_connections import RequestConnections
from gateway_shim.streams.refusal_counts import RefusalCounts
from tests.gateway_shim.sockets import tcp_pair
from tests.support.timing import TIME_LIMIT, wait_until

__all__ = ["Idle", "kept_for"]


class Idle:
    """A connection whose handler waits for the next request.

    Args:
        kept: where it waits.
        after: called by the handler after the wait.
    """

    def __init__(self, kept: KeptConnections, after: Callable[[], object] = lambda: None) -> None:
        self.client, self.server = tcp_pair()
        self.unreader = SocketUnreader(self.server)
        self._kept = kept
        self._after = after
        self.handler = gevent.spawn(self._wait)
        connections = kept._connections
        wait_until(
            lambda: self.handler in connections or self.handler.ready(), "the handler to wait"
        )

    def _wait(self) -> bool:
        connections = self._kept._connections
        assert connections.enter(connections._lines[0], self.server.fileno(), "")
        try:
            goes_on = self._kept.wait(self.unreader, self.server)
            self._after()
            return goes_on
        finally:
            connections.leave()

    def outcome(self) -> bool:
        """Return the result of the wait."""
        result: bool = self.handler.get(timeout=TIME_LIMIT)
        return result

    def close(self) -> None:
        """Close both ends of the connection."""
        self.handler.kill()
        self.client.close()
        self.server.close()


def kept_for(seconds: float = 3600) -> KeptConnections:
    """Create connections with a maximum idle time."""
    connections = RequestConnections(100, lambda address: address, RefusalCounts())
    connections.add_line(Pool(100), 100)
    return KeptConnections(seconds, connections)
