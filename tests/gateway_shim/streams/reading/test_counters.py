"""The counters of a gateway, as they are read."""

from __future__ import annotations

from gateway_shim.streams.reading.counters import read_counters
from gateway_shim.streams.stats import GatewayStats
from tests.gateway_shim.running_gateway import RunningGateway


def test_a_copy() -> None:
    """The result has the values of now, and does not change with the totals."""
    with RunningGateway() as running:
        running.open()
        totals = GatewayStats(opened=1)
        read = read_counters(totals, running.gateway._streams, 3, None)
        totals.opened += 1
        totals.closed["error"] += 1
        assert (read.active, read.pending_connects, read.opened) == (1, 3, 1)
        assert (read.closed["error"], read.log) == (0, None)
