"""Sends an event to one stream, by its token, without a log."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from app.services.connections.send_outcome import SendOutcome, SendReport
from app.services.gateway_transport import GatewayTransport, TransportError
from gateway_shim.protocol.event_stream import Event

__all__ = ["send_to_stream"]

logger = logging.getLogger(__name__)


def send_to_stream(
    transport: GatewayTransport, token: str, event: Event, extra: Mapping[str, object]
) -> SendReport:
    """Send one event to one stream.

    Args:
        transport: the way to the gateway.
        token: the stream's token.
        event: the event.
        extra: the fields of a log line about this send.

    Returns:
        The outcome is NO_STREAM if the gateway does not know the token: forget the stream.
    """
    try:
        is_known = transport.send(token, event)
    except TransportError as exc:
        logger.warning("event not sent: %s", exc, extra=extra)
        return SendReport(SendOutcome.ERROR)
    if is_known:
        return SendReport(SendOutcome.SUCCESS, 1)
    logger.info("the gateway no longer knows the stream", extra=extra)
    return SendReport(SendOutcome.NO_STREAM)
