"""The connects that wait for the backend's answer, and the limit on their number.

Each of them occupies one of the server's request handlers (``worker_connections`` in
:mod:`gateway_shim.server.options`). If a slow backend could make them occupy all handlers, sends
and health checks would wait behind them.
"""

from __future__ import annotations

from collections.abc import Callable

from gateway_shim.protocol.http import ErrorCode, Refusal, unavailable
from gateway_shim.streams.opening.admission import RETRY_AFTER_SECONDS
from gateway_shim.streams.opening.owner_counts import OwnerCounts

__all__ = ["DEFAULT_PENDING_CONNECTS", "MAX_PENDING_CONNECTS", "PendingConnects"]

DEFAULT_PENDING_CONNECTS = 500

MAX_PENDING_CONNECTS = 1500
"""The highest limit. Of the 2,000 request handlers some must stay free for other requests."""

_ADDRESS_SHARE = 4
"""The divisor of the limit for one client address: a quarter of all connects."""


class PendingConnects:
    """Counts connects against the limit, and against the limit of one client address.

    Args:
        limit: the limit on connects at a time.
        limit_key: returns the key under which an address is counted; empty: it is not counted.

    Attributes:
        count: the number of connects that wait now.
    """

    def __init__(self, limit: int, limit_key: Callable[[str], str]) -> None:
        self.count = 0
        self._limit_key = limit_key
        self._limit = limit
        self._limit_per_address = max(1, limit // _ADDRESS_SHARE)
        self._addresses = OwnerCounts()

    def refuse(self, address: str) -> Refusal | None:
        """Return the refusal for one more connect; None if it may wait.

        Args:
            address: the client's address.
        """
        if self.count >= self._limit:
            return _busy("Too many streams are being opened; try again later")
        if self.count < self._limit_per_address:  # the usual case: no address can have more
            return None
        if self._addresses.of(self._limit_key(address)) >= self._limit_per_address:
            return _busy("Too many streams are being opened from this address; try again later")
        return None

    def enter(self, key: str) -> None:
        """Count one more connect. Call :meth:`leave` with the same key when it has its answer.

        Args:
            key: the key under which the client's address is counted.
        """
        self.count += 1
        self._addresses.enter(key)

    def leave(self, key: str) -> None:
        """Count one connect less."""
        self.count -= 1
        self._addresses.leave(key)


def _busy(message: str) -> Refusal:
    return unavailable(ErrorCode.TOO_MANY_CONNECTIONS, message, RETRY_AFTER_SECONDS)
