"""Reads the counters of a gateway."""

from __future__ import annotations

from dataclasses import replace

from gateway_shim.streams.registry import Streams
from gateway_shim.streams.replay.following import Following
from gateway_shim.streams.stats import GatewayStats

__all__ = ["read_counters"]


def read_counters(
    stats: GatewayStats, streams: Streams, pending: int, following: Following | None
) -> GatewayStats:
    """Return a copy of the counters, with the values of now.

    Args:
        stats: the totals since the gateway was made.
        streams: the gateway's streams.
        pending: the number of connects that wait for the backend's answer now.
        following: the gateway's log; None: there is no log.
    """
    return replace(
        stats,
        active=len(streams.by_token),
        bytes_buffered=streams.buffered,
        pending_connects=pending,
        closed=stats.closed.copy(),
        resyncs=stats.resyncs.copy(),
        **({} if following is None else following.read_stats()),
    )
