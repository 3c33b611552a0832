"""The counters of a gateway."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gateway_shim.event_log.log import LogStats
from gateway_shim.protocol.callbacks import Reason
from gateway_shim.streams.replay.marks import Resync

__all__ = ["CLIENT_STALLED", "FAR_BEHIND_BYTES", "GatewayStats"]

CLIENT_STALLED = "client_stalled"
"""The reason for the end of a stream whose client the kernel has given up: its network is gone, or
it has stopped to read altogether."""

FAR_BEHIND_BYTES = 1024 * 1024
"""The bytes of the log beyond which a stream that is behind counts as far behind."""


def _zero_by_reason() -> Counter[str]:
    return Counter({reason.value: 0 for reason in Reason} | {CLIENT_STALLED: 0})


def _zero_resyncs() -> Counter[str]:
    return Counter({reason.value: 0 for reason in Resync})


@dataclass(slots=True)
class GatewayStats:
    """The counters: totals since the gateway was made, except those of "now".

    Args:
        active: the number of streams that are connecting or open now.
        bytes_buffered: the bytes that slow clients have not taken yet and that are not in the log,
            now.
        pending_connects: the number of connects that wait for the backend's answer now.
        opened: the number of streams that have opened.
        refused: the number of streams that the backend, or a limit, has refused.
        closed: the number of streams that have ended, by reason.
        slow_consumers_ended: the number of streams that were ended because too much was unread.
        heartbeats: the number of heartbeats.
        broadcasts: the number of broadcasts and published events.
        appends_failed: the number of events and notes that the log did not take.
        callbacks_failed: the number of disconnect callbacks that did not arrive.
        resyncs: the number of streams that were told that they have missed events, by reason.
        joiners: the number of streams that are caught up and wait to become live, now.
        streams_behind: the number of streams that read the log themselves, now; joiners included.
        streams_far_behind: the number of streams that are behind by more than
            :data:`FAR_BEHIND_BYTES`, now. All entries of the log count, also those for others.
        bytes_behind: the bytes of the log that follow the position of the stream that is furthest
            behind, now.
        delivered_for_others: the number of times that a stream took an event for everyone that
            another process has published.
        log: the extent of the log, now; None: there is no log.
    """

    active: int = 0
    bytes_buffered: int = 0
    pending_connects: int = 0
    opened: int = 0
    refused: int = 0
    closed: Counter[str] = field(default_factory=_zero_by_reason)
    slow_consumers_ended: int = 0
    heartbeats: int = 0
    broadcasts: int = 0
    appends_failed: int = 0
    callbacks_failed: int = 0
    resyncs: Counter[str] = field(default_factory=_zero_resyncs)
    joiners: int = 0
    streams_behind: int = 0
    streams_far_behind: int = 0
    bytes_behind: int = 0
    delivered_for_others: int = 0
    log: LogStats | None = None
