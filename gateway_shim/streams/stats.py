"""The counters of a gateway."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gateway_shim.protocol.callbacks import Reason

__all__ = ["GatewayStats"]


def _zero_by_reason() -> Counter[str]:
    return Counter({reason.value: 0 for reason in Reason})


@dataclass(slots=True)
class GatewayStats:
    """The counters: totals since the gateway was made, except the first three.

    Args:
        active: the number of streams that are connecting or open now.
        bytes_buffered: the bytes that slow clients have not taken yet, now.
        pending_connects: the number of connects that wait for the backend's answer now.
        opened: the number of streams that have opened.
        refused: the number of streams that the backend, or a limit, has refused.
        closed: the number of streams that have ended, by reason.
        slow_consumers_ended: the number of streams that were ended because too much was unread.
        heartbeats: the number of heartbeats.
        broadcasts: the number of broadcasts.
        callbacks_failed: the number of disconnect callbacks that did not arrive.
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
    callbacks_failed: int = 0
