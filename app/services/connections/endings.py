"""Ends streams that must not stay open: replaced streams, and streams that connect too late."""

from __future__ import annotations

import logging

from app.services.gateway_transport import GatewayTransport, TransportError
from gateway_shim.protocol.event_stream import Event

__all__ = ["close_replaced_stream", "end_late_stream"]

logger = logging.getLogger(__name__)


def close_replaced_stream(transport: GatewayTransport, request_id: str, token: str) -> None:
    """Close a stream whose request id has a newer stream.

    This is best effort: the old stream is no longer registered, so nothing more is sent to it.
    An error is logged, and must not end the new stream.

    Args:
        transport: the way to the gateway.
        request_id: the request id of both streams.
        token: the token of the old stream.
    """
    extra = {"request_id": request_id, "token": token}
    logger.info("stream replaced", extra=extra)
    try:
        transport.close(token)
    except Exception as exc:  # noqa: BLE001 - must not end the stream that has connected
        logger.warning("the replaced stream could not be closed: %s", exc, extra=extra)


def end_late_stream(
    transport: GatewayTransport, request_id: str, token: str, farewell: Event
) -> None:
    """End a stream that connected after the drain had listed the streams.

    A gateway behind HTTP would keep the stream open, but this process will not send to it.

    Args:
        transport: the way to the gateway.
        request_id: the stream's request id.
        token: the stream's token.
        farewell: the last event of the stream.
    """
    try:
        transport.send(token, farewell)
        transport.close(token)
    except TransportError as exc:
        logger.warning(
            "a stream that connected during the shutdown could not be ended: %s",
            exc,
            extra={"request_id": request_id, "token": token},
        )
