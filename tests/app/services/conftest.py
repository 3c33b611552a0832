"""A fake gateway and fake metrics for tests of the connection manager, and of its callers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from app.services.connection_manager import ConnectionManager, ServiceType
from app.services.gateway_transport import BroadcastResult, TransportError
from app.services.metrics_service import NullMetrics
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.results import Published

__all__ = [
    "URL",
    "RecordingMetrics",
    "RecordingPublisher",
    "RecordingTransport",
    "assert_consistent",
    "maps",
    "send",
]

URL = "/api/sse/stream?request_id="
"""The request target of a stream, up to the request id."""


class RecordingTransport:
    """A GatewayTransport that records its calls, and fails for the tokens that a test names.

    Attributes:
        sent: the token and the event of each send.
        broadcasts: the tokens and the event of each broadcast.
        closed: the tokens of closed streams.
        drained: the arguments of each drain.
        unknown: the tokens that the gateway does not know.
        failing: the tokens for which the gateway raises TransportError.
        meanwhile: is called in each send, broadcast and close, before anything else.
    """

    def __init__(self) -> None:
        self.sent: list[tuple[str, Event]] = []
        self.broadcasts: list[tuple[list[str], Event]] = []
        self.closed: list[str] = []
        self.drained: list[tuple[tuple[str, ...], Event, float]] = []
        self.unknown: set[str] = set()
        self.failing: set[str] = set()
        self.meanwhile: Callable[[], object] = lambda: None

    def send(self, token: str, event: Event) -> bool:
        """Send an event to one stream."""
        self.meanwhile()
        self.sent.append((token, event))
        if token in self.failing:
            raise TransportError("down")
        return token not in self.unknown

    def broadcast(self, tokens: Sequence[str], event: Event) -> BroadcastResult:
        """Send an event to many streams."""
        self.meanwhile()
        self.broadcasts.append((list(tokens), event))
        unknown = tuple(token for token in tokens if token in self.unknown)
        failing = [token for token in tokens if token in self.failing]
        return BroadcastResult(len(tokens) - len(unknown) - len(failing), unknown)

    def drain(self, tokens: Sequence[str], farewell: Event, seconds: float) -> None:
        """End all streams."""
        self.drained.append((tuple(tokens), farewell, seconds))

    def close(self, token: str) -> None:
        """End a stream."""
        self.meanwhile()
        self.closed.append(token)
        if token in self.failing:
            raise TransportError("down")


class RecordingPublisher:
    """An EventPublisher that records its calls, and fails if a test says so.

    Attributes:
        entries: the audience and the event of each entry.
        streams: the number of streams that take each event.
        is_full: whether the log takes no event.
    """

    def __init__(self) -> None:
        self.entries: list[tuple[str, Event]] = []
        self.streams = 1
        self.is_full = False

    def publish(self, event: Event, audience: str) -> Published:
        """Append an event to the log."""
        if self.is_full:
            raise TransportError("no space")
        self.entries.append((audience, event))
        return Published(f"e-{len(self.entries)}", self.streams)


class RecordingMetrics(NullMetrics):
    """Metrics that record their calls. The durations are recorded separately."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.seconds: list[float] = []

    def connection_opened(self) -> None:
        """Record the call."""
        self.calls.append(("opened",))

    def connection_closed(self) -> None:
        """Record the call."""
        self.calls.append(("closed",))

    def set_active_connections(self, count: int) -> None:
        """Record the call."""
        self.calls.append(("active", count))

    def event_sent(self, service: str, status: str, seconds: float) -> None:
        """Record the call and its duration."""
        self.calls.append(("sent", service, status))
        self.seconds.append(seconds)

    def broadcast_finished(self, streams: int, seconds: float) -> None:
        """Record the call and its duration."""
        self.calls.append(("broadcast", streams))
        self.seconds.append(seconds)

    def append_failed(self) -> None:
        """Record the call."""
        self.calls.append(("append failed",))


@pytest.fixture
def transport() -> RecordingTransport:
    """Return the fake gateway."""
    return RecordingTransport()


@pytest.fixture
def metrics() -> RecordingMetrics:
    """Return the fake metrics."""
    return RecordingMetrics()


@pytest.fixture
def manager(transport: RecordingTransport, metrics: RecordingMetrics) -> ConnectionManager:
    """Return a connection manager over the fakes."""
    return ConnectionManager(transport, metrics)


@pytest.fixture
def publisher() -> RecordingPublisher:
    """Return the fake log."""
    return RecordingPublisher()


@pytest.fixture
def logged(
    transport: RecordingTransport, metrics: RecordingMetrics, publisher: RecordingPublisher
) -> ConnectionManager:
    """Return a connection manager over the fakes, whose gateway has a log."""
    return ConnectionManager(transport, metrics, publisher=publisher)


def maps(manager: ConnectionManager) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Return copies of a manager's two maps."""
    connections = {name: (known.token, known.url) for name, known in manager.registered()}
    return connections, dict(manager._registry._token_to_request_id)


def assert_consistent(manager: ConnectionManager) -> None:
    """Assert that each map is the inverse of the other, and that the lock is free."""
    connections, tokens = maps(manager)
    assert tokens == {token: request_id for request_id, (token, _) in connections.items()}
    assert len(tokens) == len(connections)
    registry = manager._registry
    assert registry._users.keys() <= connections.keys()
    assert registry._tokens in (None, tuple(tokens))
    assert not registry._lock.locked()


def send(manager: ConnectionManager, request_id: str | None, **data: Any) -> bool:
    """Send an event as the task service does."""
    return manager.send_event(request_id, data, "n", ServiceType.TASK)
