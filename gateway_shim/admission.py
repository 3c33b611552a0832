"""Who may have one more stream: limits that keep a storm from taking the process down."""

from __future__ import annotations

from collections import Counter

from gateway_shim.contract import ErrorCode, Refusal, error_body

__all__ = ["RETRY_AFTER_SECONDS", "Admission"]

RETRY_AFTER_SECONDS = 5
"""What a client that was turned away is told to wait."""


class Admission:
    """Counts streams against the limits.

    Args:
        total: streams at a time; None: no limit.
        per_address: streams at a time from one client address; None: no limit.
    """

    def __init__(self, total: int | None, per_address: int | None) -> None:
        self._total = total
        self._per_address = per_address
        self._addresses: Counter[str] = Counter()
        self.closed = False

    @property
    def counts_addresses(self) -> bool:
        """Whether :meth:`enter` and :meth:`leave` need to know the address."""
        return self._per_address is not None

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
        if self._total is not None and active >= self._total:
            return _unavailable(ErrorCode.TOO_MANY_CONNECTIONS, "Too many connections")
        if self._per_address is not None and self._addresses[address] >= self._per_address:
            return _unavailable(
                ErrorCode.TOO_MANY_CONNECTIONS, "Too many connections from this address"
            )
        return None

    def enter(self, address: str) -> None:
        """Count a stream in."""
        if self._per_address is not None:
            self._addresses[address] += 1

    def leave(self, address: str) -> None:
        """Count a stream out."""
        if self._per_address is None:
            return
        self._addresses[address] -= 1
        if self._addresses[address] <= 0:
            del self._addresses[address]


def _unavailable(code: ErrorCode, message: str) -> Refusal:
    headers = (("Retry-After", str(RETRY_AFTER_SECONDS)),)
    return Refusal(503, error_body(code, message), headers=headers)
