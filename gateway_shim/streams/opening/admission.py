"""The limits on streams, which protect the process from too many clients.

:mod:`gateway_shim.streams.opening.limits_per_address` decides which addresses are exempt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gateway_shim.protocol.http import ErrorCode, Refusal, unavailable
from gateway_shim.streams.opening.owner_counts import OwnerCounts

__all__ = ["RETRY_AFTER_SECONDS", "Admission", "ServerShare"]

RETRY_AFTER_SECONDS = 5
"""The ``Retry-After`` of a refused client, seconds."""


class ServerShare(Protocol):
    """The number of streams that each process of the server has."""

    def count_streams(self, streams: int) -> None:
        """Note how many streams this process has."""
        ...

    @property
    def streams_of_others(self) -> int:
        """The number of streams that the other processes have."""
        ...


class Admission:
    """Counts streams against the limits.

    Two processes that admit a stream at the same time may exceed the limit of the server by one
    stream each, because nothing is locked.

    Args:
        total: the limit on streams of this process at a time; None: no limit.
        per_address: the limit on streams at a time from one client address; None: no limit.
        limit_key: returns the key under which an address is counted; empty: it is not counted.

    Attributes:
        limit_key: returns the key under which an address is counted.
        closed: True if no further stream is admitted.
    """

    def __init__(
        self,
        total: int | None,
        per_address: int | None,
        limit_key: Callable[[str], str] = lambda address: address,
    ) -> None:
        self._total = total
        self._per_address = per_address
        self.limit_key = limit_key
        self._addresses = OwnerCounts()
        self._count = 0  # the streams of this process
        # The streams of other processes, and the limit for all; None: there are no others.
        self._share: ServerShare | None = None
        self._total_of_server: int | None = None
        self.closed = False

    def share_with(self, others: ServerShare, total: int | None) -> None:
        """Count the streams of the other processes, too. Call it before the first stream.

        Args:
            others: the streams of the other processes.
            total: the limit on streams of all processes at a time; None: no limit.
        """
        self._share, self._total_of_server = others, total

    def close(self) -> None:
        """Admit no further stream: the gateway is draining."""
        self.closed = True

    def refuse(self, active: int, address: str) -> Refusal | None:
        """Return the refusal for one more stream; None if it is admitted.

        Args:
            active: the number of streams.
            address: the client's address.
        """
        if self.closed:
            return _unavailable(ErrorCode.SHUTTING_DOWN, "Server is shutting down")
        if self._is_full(active):
            return _unavailable(ErrorCode.TOO_MANY_CONNECTIONS, "Too many connections")
        if self._per_address is None:
            return None
        if self._addresses.of(self.limit_key(address)) >= self._per_address:
            return _unavailable(
                ErrorCode.TOO_MANY_CONNECTIONS, "Too many connections from this address"
            )
        return None

    def enter(self, address: str) -> str:
        """Count one more stream.

        Returns:
            The key for :meth:`leave`, which must be called when the stream ends.
        """
        key = "" if self._per_address is None else self.limit_key(address)
        self._addresses.enter(key)
        self._change_count(1)
        return key

    def leave(self, key: str) -> None:
        """Count one stream less.

        Args:
            key: the key that :meth:`enter` has returned.
        """
        self._addresses.leave(key)
        self._change_count(-1)

    def _is_full(self, active: int) -> bool:
        if self._total is not None and active >= self._total:
            return True
        if self._share is None or self._total_of_server is None:
            return False
        return active + self._share.streams_of_others >= self._total_of_server

    def _change_count(self, by: int) -> None:
        self._count += by
        if self._share is not None:
            self._share.count_streams(self._count)


def _unavailable(code: ErrorCode, message: str) -> Refusal:
    return unavailable(code, message, RETRY_AFTER_SECONDS)
