"""Makes the sampler from the services of an application."""

from __future__ import annotations

from app.config import Settings
from app.console.operations.feed import OperationsFeed
from app.console.operations.limits import OperationsLimits
from app.console.operations.reader import SampleReader
from app.console.operations.sampler import INTERVAL_SECONDS, Sampler
from app.lifecycle import ShutdownCoordinator
from app.services.event_loop.loop_monitor import LoopMonitor
from app.services.metrics_service import MetricsService
from app.services.remote_gateway.readiness import GatewayReadiness
from app.state.workers_folder import WorkersFolder
from gateway_shim.event_log.places.place import current_place
from gateway_shim.streams.gateway import Gateway

__all__ = ["make_sampler"]


def make_sampler(
    settings: Settings,
    metrics: MetricsService,
    loop_monitor: LoopMonitor,
    gateway: Gateway,
    readiness: GatewayReadiness,
    feed: OperationsFeed,
    shutdown_coordinator: ShutdownCoordinator,
    *,
    interval: float = INTERVAL_SECONDS,
    folder: WorkersFolder | None = None,
) -> Sampler:
    """Make the sampler of an application.

    Args:
        settings: the settings of the application.
        metrics: counts events and tasks.
        loop_monitor: measures the event loop's lag.
        gateway: the gateway of this process, which holds no streams if SSE_GATEWAY_URL is set.
        readiness: the readiness of the gateway that serves the streams.
        feed: sends the samples to consoles.
        shutdown_coordinator: stops the sampler.
        interval: seconds from one sample to the next.
        folder: the folder of the workers; None: there is one worker.
    """
    reader = SampleReader(
        metrics.totals.take,
        loop_monitor.take_longest,
        gateway if settings.sse_gateway_url is None else None,
        readiness.problem,
    )

    def read_limits() -> OperationsLimits:
        place = current_place()  # not known when the application is made
        survives = place is not None and place.survives_restart
        return OperationsLimits.of(
            settings,
            gateway.config.max_connections,
            survives_restart=survives,
            workers=1 if place is None else place.workers,
        )

    return Sampler(
        reader, read_limits, feed, shutdown_coordinator, interval=interval, folder=folder
    )
