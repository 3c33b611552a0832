"""Tests of the numbers of streams that entries were delivered to."""

from __future__ import annotations

from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.cursor import Cursor
from gateway_shim.event_log.segment import Entry
from gateway_shim.streams.replay.delivery_pass import DeliveryPass
from gateway_shim.streams.sending.delivered_counts import KEPT, DeliveredCounts
from gateway_shim.streams.stats import GatewayStats


def delivery(streams: int, audience: str = EVERYONE) -> DeliveryPass:
    """Return the delivery of an entry to some streams."""
    found = DeliveryPass(Entry(1, audience, memoryview(b"3\r\n:\n\n\r\n")), [])
    found.delivered = streams
    return found


def test_each_count_is_taken_once() -> None:
    """A publisher takes the count of its own entry; what nobody takes was others'."""
    stats = GatewayStats()
    counts = DeliveredCounts(stats)
    counts.note(Cursor("e", 1), delivery(5), is_awaited=True)
    counts.note(Cursor("e", 2), delivery(7), is_awaited=True)
    counts.note(Cursor("e", 3), delivery(1, "r:a"), is_awaited=True)
    assert counts.take(Cursor("e", 1)) == 5
    assert counts.take(Cursor("e", 1)) == 0
    assert counts.take(Cursor("f", 2)) == 0
    assert stats.delivered_for_others == 0
    counts.clear()
    assert stats.delivered_for_others == 7
    assert counts.take(Cursor("e", 2)) == 0


def test_nobody_publishes() -> None:
    """The entry is of another process."""
    stats = GatewayStats()
    counts = DeliveredCounts(stats)
    counts.note(Cursor("e", 1), delivery(5), is_awaited=False)
    assert stats.delivered_for_others == 5
    assert counts.take(Cursor("e", 1)) == 0


def test_the_oldest_counts_are_forgotten() -> None:
    """While somebody publishes all the time, others' entries do not pile up."""
    stats = GatewayStats()
    counts = DeliveredCounts(stats)
    for position in range(KEPT + 1):
        counts.note(Cursor("e", position), delivery(1), is_awaited=True)
    assert stats.delivered_for_others == 1
    assert counts.take(Cursor("e", 0)) == 0
    assert counts.take(Cursor("e", 1)) == 1
