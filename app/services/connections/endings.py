"""Ends streams that must not stay open: replaced, denied, or connected too late."""

from __future__ import annotations

import logging

from app.services.gateway_transport import GatewayTransport, TransportError
from gateway_shim.log_lines.frequent_line import FrequentLine
from gateway_shim.protocol.event_stream import Event

__all__ = ["close_denied_stream", "close_replaced_stream", "end_late_stream"]

logger = logging.getLogger(__name__)

_REPLACED = FrequentLine(logger, "stream replaced")


def close_replaced_stream(transport: GatewayTransport, request_id: str, token: str) -> None:
    """Close a stream whose request id has a newer stream.

    This is best effort: the old stream is no longer registered, so nothing more is sent to it.
    An error is logged, and must not end the new stream.

    Args:
        transport: the way to the gateway.
        request_id: the request id of both streams.
        token: the token of the old stream.
    """
    _REPLACED.write(lambda: {"request_id": request_id, "token": token})
    _close(transport, request_id, token, "replaced")


def close_denied_stream(transport: GatewayTransport, request_id: str, token: str) -> None:
    """Close a stream whose request id belongs to another user in another process.

    Both have connected at the same time, or else this stream would have been refused.

    Args:
        transport: the way to the gateway.
        request_id: the request id of both streams.
        token: the token of the stream that ends.
    """
    extra = {"request_id": request_id, "token": token}
    logger.warning("a stream was ended: its request id belongs to another user", extra=extra)
    _close(transport, request_id, token, "denied")


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


def _close(transport: GatewayTransport, request_id: str, token: str, reason: str) -> None:
    try:
        transport.close(token)
    except Exception as exc:  # noqa: BLE001 - must not end the stream that stays
        logger.warning(
            "the %s stream could not be closed: %s",
            reason,
            exc,
            extra={"request_id": request_id, "token": token},
        )
