"""The limits on streams, which protect the process from too many clients.

:mod:`gateway_shim.streams.opening.limits_per_address` decides which addresses are exempt.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway_shim.protocol.http import ErrorCode, Refusal, unavailable
from gateway_shim.streams.opening.owner_counts import OwnerCounts

__all__ = ["RETRY_AFTER_SECONDS", "Admission"]

RETRY_AFTER_SECONDS = 5
"""The ``Retry-After`` of a refused client, seconds."""


class Admission:
    """Counts streams against the limits.

    Args:
        total: the limit on streams at a time; None: no limit.
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
        self.closed = False

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
        key = self.limit_key(address)
        if self._total is not None and active >= self._total:
            return _unavailable(ErrorCode.TOO_MANY_CONNECTIONS, "Too many connections")
        if self._per_address is not None and self._addresses.of(key) >= self._per_address:
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
        return key

    def leave(self, key: str) -> None:
        """Count one stream less.

        Args:
            key: the key that :meth:`enter` has returned.
        """
        self._addresses.leave(key)


def _unavailable(code: ErrorCode, message: str) -> Refusal:
    return unavailable(code, message, RETRY_AFTER_SECONDS)
