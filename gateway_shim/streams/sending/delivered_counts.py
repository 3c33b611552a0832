"""The numbers of streams that the last entries were delivered to, for their publishers."""

from __future__ import annotations

from gateway_shim.event_log.cursor import Cursor
from gateway_shim.streams.replay.delivery_pass import DeliveryPass
from gateway_shim.streams.stats import GatewayStats

__all__ = ["KEPT", "DeliveredCounts"]

KEPT = 1024
"""The number of entries that are remembered. A publisher that comes later learns 0."""


class DeliveredCounts:
    """The counts of the entries that were delivered while somebody published.

    An entry may be delivered before its publisher knows the entry's position: with an engine that
    orders for many servers, the answer to the publisher and the entry itself travel separately. So
    whose entry it was is known when its publisher takes the count, or when nobody publishes.

    Args:
        stats: counts the deliveries of other processes' entries.
    """

    def __init__(self, stats: GatewayStats) -> None:
        self._stats = stats
        # The number of streams, and the part of it that counts if the entry was of another process.
        self._counts: dict[Cursor, tuple[int, int]] = {}

    def note(self, cursor: Cursor, delivered: DeliveryPass, *, is_awaited: bool) -> None:
        """Note an entry that was delivered.

        Args:
            cursor: the entry.
            delivered: its delivery.
            is_awaited: True if somebody publishes, whose entry it may be.
        """
        for_others = delivered.delivered if delivered.for_everyone else 0
        if not is_awaited:
            self._stats.delivered_for_others += for_others
            return
        self._counts[cursor] = delivered.delivered, for_others
        if len(self._counts) > KEPT:
            self._stats.delivered_for_others += self._counts.pop(next(iter(self._counts)))[1]

    def take(self, cursor: Cursor) -> int:
        """Return to how many streams an own entry was delivered; 0 if this is not known."""
        return self._counts.pop(cursor, (0, 0))[0]

    def clear(self) -> None:
        """Forget all entries: nobody publishes, so they were of other processes."""
        self._stats.delivered_for_others += sum(others for _, others in self._counts.values())
        self._counts.clear()
