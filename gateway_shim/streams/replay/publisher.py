"""Appends events to the log, and waits until this process has delivered them."""

from __future__ import annotations

from gateway_shim.event_log.audience import NOTES
from gateway_shim.event_log.cursor import Cursor
from gateway_shim.event_log.log import Log
from gateway_shim.protocol.results import Published
from gateway_shim.streams.replay.delivery import Delivery
from gateway_shim.streams.sending.appending import Appending
from gateway_shim.streams.sending.broadcast_turn import BroadcastTurn
from gateway_shim.streams.stats import GatewayStats

__all__ = ["Publisher"]


class Publisher:
    """Publishes events through the log.

    Args:
        log: the log.
        delivery: delivers the log's entries to the streams of this process.
        turn: the turn of broadcasts.
        stats: counts what could not be appended.
    """

    def __init__(
        self, log: Log, delivery: Delivery, turn: BroadcastTurn, stats: GatewayStats
    ) -> None:
        self._log = log
        self._appending = Appending(log, stats)
        self._delivery = delivery
        self._turn = turn

    def publish(self, audience: str, event: bytes) -> Published:
        """Append an event, and deliver it here. Other greenlets run meanwhile.

        Args:
            audience: to whom the event is addressed.
            event: the event's bytes without ``id:``.

        Raises:
            LogUnavailable: the event could not be appended.
        """
        delivery = self._delivery
        delivery.publishers += 1
        try:
            position = self._appending.append(audience, event)
            cursor = Cursor(self._log.epoch, position)
            with self._turn:
                while delivery.completed < position and self._log.epoch == cursor.epoch:
                    if not delivery.deliver_next():
                        break
            return Published(str(cursor), delivery.counts.take(cursor))
        finally:
            delivery.publishers -= 1
            delivery.published()  # whoever was interrupted leaves the rest to the follower

    def append_note(self, note: bytes) -> None:
        """Append a note for other processes. May let other greenlets run.

        Raises:
            LogUnavailable: the note could not be appended.
        """
        try:
            self._appending.append(NOTES, note)
        finally:
            self._delivery.published()
