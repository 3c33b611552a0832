"""Who may have one more stream: limits that keep a storm from taking the process down."""

from __future__ import annotations

from collections.abc import Callable

from gateway_shim.protocol.http import ErrorCode, Refusal, unavailable
from gateway_shim.streams.opening.owner_counts import OwnerCounts

__all__ = ["RETRY_AFTER_SECONDS", "Admission"]

RETRY_AFTER_SECONDS = 5
"""What a client that was turned away is told to wait."""


class Admission:
    """Counts streams against the limits.

    Args:
        total: streams at a time; None: no limit.
        per_address: streams at a time from one client address; None: no limit.
        limit_key: returns what an address is counted as; empty: it is not counted.
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
        """Admit nobody any more: the gateway is draining."""
        self.closed = True

    def refuse(self, active: int, address: str) -> Refusal | None:
        """The answer for one more client; None if it may come in.

        Args:
            active: how many streams there are.
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
        """Count a stream in.

        Returns:
            What :meth:`leave` needs at the stream's end.
        """
        key = "" if self._per_address is None else self.limit_key(address)
        self._addresses.enter(key)
        return key

    def leave(self, key: str) -> None:
        """Count a stream out.

        Args:
            key: what :meth:`enter` has returned.
        """
        self._addresses.leave(key)


def _unavailable(code: ErrorCode, message: str) -> Refusal:
    return unavailable(code, message, RETRY_AFTER_SECONDS)
