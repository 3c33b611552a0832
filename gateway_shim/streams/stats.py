"""What a gateway counts: plain numbers, raised where it happens and read when asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gateway_shim.protocol.callbacks import Reason

__all__ = ["GatewayStats"]


def _no_reason_yet() -> Counter[str]:
    return Counter({reason.value: 0 for reason in Reason})


@dataclass(slots=True)
class GatewayStats:
    """Totals since the gateway was made, except the first three.

    Args:
        active: streams that are connecting or open now.
        bytes_buffered: bytes that slow clients have not taken yet, now.
        pending_connects: connects that wait for the backend's answer now.
        opened: streams that opened.
        refused: streams that the backend, or a limit, refused.
        closed: streams that ended, by reason.
        slow_consumers_ended: streams ended because their outbox was full.
        heartbeats: heartbeats written.
        broadcasts: broadcasts sent.
        callbacks_failed: disconnect callbacks that did not arrive.
    """

    active: int = 0
    bytes_buffered: int = 0
    pending_connects: int = 0
    opened: int = 0
    refused: int = 0
    closed: Counter[str] = field(default_factory=_no_reason_yet)
    slow_consumers_ended: int = 0
    heartbeats: int = 0
    broadcasts: int = 0
    callbacks_failed: int = 0
