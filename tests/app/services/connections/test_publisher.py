"""The way to the log of the gateway in this process."""

from __future__ import annotations

import pytest

from app.services.connections.publisher import EventPublisher, GatewayPublisher
from app.services.gateway_transport import TransportError
from gateway_shim.errors import LogUnavailable
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.results import Published

EVENT = Event("n", "d")


class RecordingGateway:
    """A gateway that records what is published, and raises what the test has set."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.published: list[tuple[Event, str]] = []
        self._failure = failure

    def publish(self, event: Event, audience: str) -> Published:
        """Publish an event to two streams."""
        if self._failure is not None:
            raise self._failure
        self.published.append((event, audience))
        return Published("e-1", 2)


def publisher_of(gateway: RecordingGateway) -> EventPublisher:
    """Return the publisher under test."""
    return GatewayPublisher(gateway)  # type: ignore[arg-type]


def test_an_event_is_published() -> None:
    """One call of the gateway; the result has the id and the number of streams here."""
    gateway = RecordingGateway()
    assert publisher_of(gateway).publish(EVENT, "r:me") == Published("e-1", 2)
    assert gateway.published == [(EVENT, "r:me")]


def test_a_log_that_takes_no_event() -> None:
    """The error of the log becomes a TransportError with the same text."""
    failure = LogUnavailable("/dev/shm is full")
    with pytest.raises(TransportError, match=r"^/dev/shm is full$") as raised:
        publisher_of(RecordingGateway(failure)).publish(EVENT, "*")
    assert raised.value.__cause__ is failure
