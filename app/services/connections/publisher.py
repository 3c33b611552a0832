"""The seam between the backend and the log of a gateway, and its in-process implementation.

A gateway that replays appends an event to its log, delivers it to the streams that it is addressed
to, and replays it to those that come back later. Gateways behind HTTP have no such log.
"""

from __future__ import annotations

from typing import Protocol

from app.services.gateway_transport import TransportError
from gateway_shim.errors import LogUnavailable
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.results import Published
from gateway_shim.streams.gateway import Gateway

__all__ = ["EventPublisher", "GatewayPublisher"]


class EventPublisher(Protocol):
    """The log as ConnectionManager uses it."""

    def publish(self, event: Event, audience: str) -> Published:
        """Append an event to the log, and deliver it to the streams of this process.

        May block cooperatively, but for a bounded time only.

        Args:
            event: the event.
            audience: the streams that get it, now or when they come back
                (:mod:`gateway_shim.event_log.audience`).

        Returns:
            The event's id, and the number of streams of this process that took the event.

        Raises:
            TransportError: the log did not take the event, so no stream gets it.
        """
        ...


class GatewayPublisher:
    """The log of the gateway in this process.

    Args:
        gateway: a gateway that replays.
    """

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def publish(self, event: Event, audience: str) -> Published:
        """Append an event to the gateway's log, and deliver it (:class:`EventPublisher`)."""
        try:
            return self._gateway.publish(event, audience)
        except LogUnavailable as exc:
            raise TransportError(str(exc)) from exc
