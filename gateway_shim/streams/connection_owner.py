"""The owner of a connection: it has the log to follow, and handles the connection's events.

Generic in the type of the connection, so that this module does not import it.
"""

from __future__ import annotations

from collections.abc import MutableSet
from typing import Protocol, TypeVar

from gateway_shim.protocol.event_stream import Frame
from gateway_shim.streams.replay.backlog import BacklogLog
from gateway_shim.streams.sending.tally import Totals

__all__ = ["ConnectionOwner", "StreamLog"]

C = TypeVar("C")
C_contra = TypeVar("C_contra", contravariant=True)


class StreamLog(BacklogLog, Protocol[C_contra]):
    """The log as a connection sees it."""

    def has(self, position: int) -> bool:
        """Return True if an entry of the current epoch can still be read."""
        ...

    def place_of(self, connection: C_contra) -> int:
        """Return the position up to which a live stream has got all of its entries."""
        ...

    def ready(self, connection: C_contra) -> None:
        """Write a part of the connection's backlog soon. Allowed in the hub."""
        ...

    def heartbeat(self, connection: C_contra) -> Frame:
        """Return the heartbeat of a live stream. Call it in a broadcast's turn."""
        ...


class ConnectionOwner(Protocol[C]):
    """The object that handles a connection's events. Called in the hub: it must not block.

    Attributes:
        log: the log that the streams follow; None: events are kept for each slow client.
        behind: the connections that have a backlog in the log.
        totals: what every live stream was sent.
    """

    log: StreamLog[C] | None
    behind: MutableSet[C]
    totals: Totals

    def client_gone(self, connection: C) -> None:
        """Handle a client that has hung up: abort the connection."""

    def client_stalled(self, connection: C) -> None:
        """Handle a client that the kernel has given up: abort the connection."""

    def write_failed(self, connection: C) -> None:
        """Handle a failed write of waiting bytes: abort the connection."""

    def flushed(self, connection: C) -> None:
        """Handle the last byte of a closing stream: the kernel has it."""
