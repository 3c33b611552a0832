"""The backend's runtime: what the worker needs from the backend besides its WSGI application."""

from __future__ import annotations

from collections.abc import Callable

from app.console.operations.sampler import Sampler
from app.lifecycle import LifetimeEvent, ShutdownCoordinator
from app.services.event_loop.loop_monitor import LoopMonitor
from app.services.metrics.server_metrics import ServerMetrics
from app.serving.drain import DRAIN_SECONDS, FAREWELL
from app.state.server_memory import ServerMemory
from gateway_shim.event_log.places.gaps import note_gap
from gateway_shim.event_log.places.place import current_place
from gateway_shim.protocol import routes
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.routes import Route
from gateway_shim.server.responses.transfers import TransferLimits
from gateway_shim.streams.gateway import Gateway

__all__ = ["STREAM_PATH", "BackendRuntime"]

STREAM_PATH = "/api/sse/stream"
"""The path of the streams. Every other request goes to the Flask application."""


class BackendRuntime:
    """The backend's :class:`~gateway_shim.server.runtime.Runtime`.

    Args:
        gateway: the gateway of this process.
        drain: ends all streams, of this or a remote gateway, with a last event, within a number of
            seconds.
        shutdown_coordinator: runs the shutdown; the streams are drained at its SHUTDOWN.
        loop_monitor: measures the event loop's lag while the process serves.
        memory: what the processes of the server remember together.
        sampler: takes samples of the figures for the console while the process serves.
        server_metrics: the metrics of all workers.
        serves_streams: False if a remote gateway has the browsers' streams.
        limits: the limits on the bodies of requests and on answers.
        body_limit: returns the size of the largest body of a request, bytes; None for the limit
            for all requests in ``limits``.
    """

    def __init__(
        self,
        gateway: Gateway,
        drain: Callable[[Event, float], None],
        shutdown_coordinator: ShutdownCoordinator,
        loop_monitor: LoopMonitor,
        memory: ServerMemory,
        sampler: Sampler,
        server_metrics: ServerMetrics,
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
        self._memory = memory
        self._sampler = sampler
        self._server_metrics = server_metrics
        self._coordinator = shutdown_coordinator
        self._serves_streams = serves_streams
        shutdown_coordinator.register_lifetime_notification(self._on_lifetime_event)

    def route(self, method: str, target: str) -> Route:
        """Return STREAM or STREAM_HEAD for the path of the streams, else NOT_FOUND, for Flask."""
        if self._serves_streams and routes.path_of(target) == STREAM_PATH:
            return routes.route(method, target)
        return Route.NOT_FOUND

    def body_limit(self, method: str, target: str) -> int:
        """Return how many bytes a request's body may have; 0 if no view would read the body."""
        if self._body_limit is None:
            return self.limits.max_body_bytes
        return self._body_limit(method, target)

    def start(self) -> None:
        """Start the gateway, the memory, the loop monitor and the sampler."""
        self.gateway.start()
        if not self.gateway.replays:
            note_gap(current_place())
        self._server_metrics.start()
        self._memory.start()  # sends events about the tasks of a process that was killed
        self._loop_monitor.start()
        self._sampler.start()

    def shutdown(self) -> None:
        """Run the whole shutdown; blocks until all tasks and streams have ended."""
        self._coordinator.shutdown()

    def stop_waiting(self) -> None:
        """End the wait of a running shutdown for tasks."""
        self._coordinator.stop_waiting()

    def _on_lifetime_event(self, event: LifetimeEvent) -> None:
        if event is LifetimeEvent.SHUTDOWN:
            self._drain(FAREWELL, DRAIN_SECONDS)
        elif event is LifetimeEvent.AFTER_SHUTDOWN:
            self._server_metrics.close()
            self._memory.close()
