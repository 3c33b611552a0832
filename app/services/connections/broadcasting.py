"""Sends events to all registered streams, through a gateway without a log."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from app.services.connections.send_outcome import SendOutcome, SendReport
from app.services.connections.service_type import ServiceType
from app.services.gateway_transport import GatewayTransport
from app.services.metrics_service import MetricsServiceProtocol
from gateway_shim.protocol.event_stream import Event

__all__ = ["broadcast_event"]

logger = logging.getLogger(__name__)


def broadcast_event(
    transport: GatewayTransport,
    metrics: MetricsServiceProtocol,
    tokens: Sequence[str],
    event: Event,
    service_type: ServiceType,
    forget: Callable[[str], None],
) -> SendReport:
    """Send one event to many streams, with one call of the transport.

    Args:
        transport: the way to the gateway.
        metrics: counts the broadcast.
        tokens: the tokens of the streams; at least one.
        event: the event.
        service_type: the service that sends.
        forget: called with each token that the gateway does not know, or no longer knows.
    """
    started = time.perf_counter()
    result = transport.broadcast(tokens, event)
    for token in result.unknown:
        forget(token)
    seconds = time.perf_counter() - started
    metrics.broadcast_finished(result.delivered, seconds)
    logger.debug(
        "event broadcast",
        extra={
            "event_name": event.name,
            "service": service_type.value,
            "streams": result.delivered,
            "unknown": len(result.unknown),
            "seconds": round(seconds, 6),
        },
    )
    if result.delivered:
        return SendReport(SendOutcome.SUCCESS, result.delivered)
    all_unknown = len(result.unknown) == len(tokens)
    return SendReport(SendOutcome.NO_STREAM if all_unknown else SendOutcome.ERROR)
