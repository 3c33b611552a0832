"""Sends events through the log of a gateway, which replays them to browsers that come back."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from app.schemas.sse_gateway_schema import is_request_id
from app.services.connections.observers import ObservedConnects
from app.services.connections.owners import owned_audience
from app.services.connections.publisher import EventPublisher
from app.services.connections.send_outcome import SendOutcome, SendReport
from app.services.connections.service_type import ServiceType
from app.services.gateway_transport import TransportError
from app.services.metrics_service import MetricsServiceProtocol
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.protocol.event_stream import Event

__all__ = ["Publishing"]

logger = logging.getLogger(__name__)


class Publishing:
    """The events of one application that go through the log.

    Args:
        publisher: the way to the log.
        metrics: counts broadcasts, and events that the log did not take.
        owner_of: returns the digest of the user to whom a request id belongs; None: to nobody.
        observed: the connects whose observers run now.
        may_be_elsewhere: returns whether another process may have the stream of a request id, or
            any stream if it is None.
    """

    def __init__(
        self,
        publisher: EventPublisher,
        metrics: MetricsServiceProtocol,
        owner_of: Callable[[str], str | None],
        observed: ObservedConnects,
        may_be_elsewhere: Callable[[str | None], bool] = lambda _: False,
    ) -> None:
        self._observed = observed
        self._may_be_elsewhere = may_be_elsewhere
        self._publisher = publisher
        self._metrics = metrics
        self._owner_of = owner_of

    def keeps(self, request_id: str | None, service_type: ServiceType) -> bool:
        """Return whether an event that is sent here and now belongs into the log.

        The state of one stream does not: the stream gets it again when it comes back.

        Args:
            request_id: the request id that the event is addressed to; None: every stream.
            service_type: the service that sends.
        """
        if request_id is None:
            return True
        return not (service_type.sends_state or self._observed.is_observing(request_id))

    def publish(
        self, request_id: str | None, event: Event, service_type: ServiceType
    ) -> SendReport:
        """Publish an event. The log keeps it, also if there is no stream for it now.

        Args:
            request_id: the request id that the event is addressed to; None: every stream.
            event: the event.
            service_type: the service that sends.

        Returns:
            The outcome is SUCCESS if a stream of this process took the event, or if a stream of
            another process may take it.
        """
        audience = EVERYONE
        if request_id is not None:
            if not is_request_id(request_id):
                return SendReport(SendOutcome.NO_STREAM)  # no stream can ever have this request id
            audience = owned_audience(request_id, self._owner_of(request_id))
        extra: dict[str, Any] = {
            "request_id": request_id,
            "event_name": event.name,
            "service": service_type.value,
        }
        started = time.perf_counter()
        try:
            published = self._publisher.publish(event, audience)
        except TransportError as exc:
            self._metrics.append_failed()
            logger.warning("event not published: %s", exc, extra=extra)
            return SendReport(SendOutcome.ERROR)
        seconds, delivered = time.perf_counter() - started, published.delivered
        if request_id is None and delivered:
            self._metrics.broadcast_finished(delivered, seconds)
        extra |= {"streams": delivered, "seconds": round(seconds, 6)}
        logger.debug("event published", extra=extra)
        is_success = delivered or self._may_be_elsewhere(request_id)
        outcome = SendOutcome.SUCCESS if is_success else SendOutcome.NO_STREAM
        return SendReport(outcome, delivered, published.id)
