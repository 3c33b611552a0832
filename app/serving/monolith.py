"""What the worker needs of the backend: its gateway, its stream's path, its shutdown."""

from __future__ import annotations

from collections.abc import Callable

from app.lifecycle import LifetimeEvent, ShutdownCoordinator
from app.services.event_loop.loop_monitor import LoopMonitor
from gateway_shim.protocol import routes
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.routes import Route
from gateway_shim.server.responses.transfers import TransferLimits
from gateway_shim.streams.gateway import Gateway

__all__ = ["DRAIN_SECONDS", "FAREWELL", "STREAM_PATH", "Monolith"]

STREAM_PATH = "/api/sse/stream"
"""The one stream's path. Every other request is the Flask application's."""

DRAIN_SECONDS = 5.0
"""How long browsers may take to read their last bytes when the process ends."""

FAREWELL = Event("server_restart", '{"reason":"server_shutdown"}')
"""The last event of every browser's stream: it ends, and the browser is to come back.

Never ``connection_close``: existing pages close on that, and do not come back.
"""


class Monolith:
    """The backend's :class:`~gateway_shim.server.runtime.Runtime`.

    Args:
        gateway: the gateway of this process.
        drain: ends all streams, wherever their gateway is, with a last event within some seconds.
        shutdown_coordinator: runs the shutdown; the streams are drained at its SHUTDOWN.
        loop_monitor: measures the event loop's lag while the process serves.
        serves_streams: False if the browsers' streams are another gateway's.
        limits: what the bodies of requests, and answers, may cost.
        body_limit: says how large the body of a request may be; None: as ``limits`` do.
    """

    def __init__(
        self,
        gateway: Gateway,
        drain: Callable[[Event, float], None],
        shutdown_coordinator: ShutdownCoordinator,
        loop_monitor: LoopMonitor,
        *,
        serves_streams: bool,
        limits: TransferLimits | None = None,
        body_limit: Callable[[str, str], int] | None = None,
    ) -> None:
        self.gateway = gateway
        self.limits = limits or TransferLimits()
        self._body_limit = body_limit
        self._drain = drain
        self._loop_monitor = loop_monitor
        self._coordinator = shutdown_coordinator
        self._serves_streams = serves_streams
        shutdown_coordinator.register_lifetime_notification(self._on_lifetime_event)

    def route(self, method: str, target: str) -> Route:
        """STREAM and STREAM_HEAD for the stream's own path, NOT_FOUND for what is Flask's."""
        if self._serves_streams and routes.path_of(target) == STREAM_PATH:
            return routes.route(method, target)
        return Route.NOT_FOUND

    def body_limit(self, method: str, target: str) -> int:
        """Return how many bytes a request's body may have; 0 if no view would look at it."""
        if self._body_limit is None:
            return self.limits.max_body_bytes
        return self._body_limit(method, target)

    def start(self) -> None:
        """Start what runs beside the requests."""
        self.gateway.start()
        self._loop_monitor.start()

    def shutdown(self) -> None:
        """Run the whole shutdown; blocks until it is over."""
        self._coordinator.shutdown()

    def hurry(self) -> None:
        """Wait for no running task any more."""
        self._coordinator.stop_waiting()

    def _on_lifetime_event(self, event: LifetimeEvent) -> None:
        if event is LifetimeEvent.SHUTDOWN:
            self._drain(FAREWELL, DRAIN_SECONDS)
