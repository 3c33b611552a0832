"""Writes to the streams that are behind, a bounded part of each in turn.

A watcher's callback runs in the hub, where thousands of clients that become ready at once would
stop everything else. So the watchers only note who is ready, and one greenlet writes.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable

from gevent.event import Event as Signal

from gateway_shim.errors import ClientGone
from gateway_shim.event_loop.turns import let_others_run_if_due
from gateway_shim.protocol.lifecycle import StreamState
from gateway_shim.streams.connection import Connection
from gateway_shim.streams.replay.progress import Progress

__all__ = ["Pump"]

logger = logging.getLogger(__name__)


class Pump:
    """The greenlet that writes to streams that are behind.

    Args:
        fail: ends a stream that could not be written to; called in a greenlet.
        caught_up: called with an open stream that has nothing left to write.
    """

    def __init__(
        self,
        fail: Callable[[Connection, ClientGone], None],
        caught_up: Callable[[Connection], None],
    ) -> None:
        self._fail = fail
        self._caught_up = caught_up
        # The connections that can be written to, in the order of their turns. Not a dict, which
        # finds its first key by passing all places of deleted ones: 3 µs with 10,000 connections.
        self._ready: OrderedDict[Connection, None] = OrderedDict()
        self._wake = Signal()

    def add(self, connection: Connection) -> None:
        """Queue a connection whose client may take bytes. Allowed in the hub."""
        self._ready[connection] = None
        self._wake.set()

    def run(self) -> None:
        """Write without end. Call this in a new greenlet."""
        while True:
            self._wake.wait()
            while self._ready:
                connection, _ = self._ready.popitem(last=False)
                self.write(connection)
                let_others_run_if_due()
            self._wake.clear()  # not earlier: after an error, this goes on at once

    def write(self, connection: Connection) -> None:
        """Write to one stream with one ``send``, and queue it again if there is more."""
        if connection.backlog is None:
            return
        try:
            progress = connection.write_backlog()
        except ClientGone as exc:
            self._fail(connection, exc)
            return
        except Exception:
            # Its bytes would wait forever. A browser that reconnects gets what it has missed.
            logger.exception("a stream that is behind is ended by an error")
            self._fail(connection, ClientGone())
            return
        if progress is Progress.MORE:
            self.add(connection)
        elif progress is Progress.BLOCKED:
            connection.watch()
        elif connection.stream.state is StreamState.OPEN:
            self._caught_up(connection)
        else:
            connection.hang_up()
