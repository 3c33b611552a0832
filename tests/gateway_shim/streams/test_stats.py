"""The counters of a gateway that has done nothing yet."""

from __future__ import annotations

from dataclasses import fields

from gateway_shim.protocol.callbacks import Reason
from gateway_shim.streams.stats import GatewayStats


def test_all_zero() -> None:
    """Every counter is there from the start, with every reason for an end."""
    stats = GatewayStats()
    assert {field.name: getattr(stats, field.name) for field in fields(stats)} == {
        "active": 0,
        "bytes_buffered": 0,
        "pending_connects": 0,
        "opened": 0,
        "refused": 0,
        "closed": {"client_closed": 0, "server_closed": 0, "error": 0, "client_stalled": 0},
        "slow_consumers_ended": 0,
        "heartbeats": 0,
        "broadcasts": 0,
        "delivered_for_others": 0,
        "appends_failed": 0,
        "callbacks_failed": 0,
        "resyncs": {"too_old": 0, "unknown": 0, "lagging": 0},
        "joiners": 0,
        "streams_behind": 0,
        "streams_far_behind": 0,
        "bytes_behind": 0,
        "log": None,
    }


def test_reasons_count_by_their_text() -> None:
    """A reason and its text are the same key, and two gateways do not share counters."""
    stats = GatewayStats()
    stats.closed[Reason.ERROR] += 1
    assert stats.closed["error"] == 1
    assert GatewayStats().closed["error"] == 0
