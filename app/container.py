"""The wiring of the services. A test can override every provider."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any

from dependency_injector import containers, providers

from app.access.request_guard import RequestGuard
from app.config import Settings
from app.console.all_streams.asking import AllStreams
from app.console.attempts import Attempts
from app.console.operations.feed import OperationsFeed
from app.console.operations.wiring import make_sampler
from app.console.session import Sessions
from app.console.stream_access import admit_console
from app.lifecycle import ShutdownCoordinator
from app.logs import make_formatter
from app.services.authorization import load_authorizer
from app.services.bus.bus import make_bus
from app.services.bus.opening import log_opener
from app.services.callback_handler import CallbackHandler
from app.services.connection_manager import ConnectionManager
from app.services.connections.publisher import GatewayPublisher
from app.services.event_loop.loop_monitor import LoopMonitor
from app.services.gateway_transport import GatewayTransport, InProcessTransport
from app.services.log_broadcast import LogBroadcaster
from app.services.metrics.gateway_states import GatewayStates
from app.services.metrics.server_metrics import ServerMetrics
from app.services.metrics_service import MetricsService
from app.services.remote_gateway.readiness import gateway_readiness
from app.services.version_service import VersionService
from app.state.place import StatePlace
from app.state.server_memory import ServerMemory
from app.state.workers_folder import WorkersFolder
from app.tasks.registry import TaskRegistry
from app.tasks.run.line import LineLimits
from app.tasks.run.outcome import ResultLimits
from app.tasks.run.store import StoreLimits
from app.tasks.service import TaskService
from gateway_shim.event_log.places.place import current_place
from gateway_shim.event_loop.loop_thread import LoopThread
from gateway_shim.protocol.backend_start import Boot
from gateway_shim.protocol.callbacks import CallbackAnswer
from gateway_shim.protocol.client_address import TrustedProxies
from gateway_shim.protocol.event_stream import Dialect
from gateway_shim.protocol.http import MAX_BODY_BYTES
from gateway_shim.server.preflight import hosts
from gateway_shim.server.process.descriptors import raise_limit, streams_allowed
from gateway_shim.server.responses.turnstile import Turnstile
from gateway_shim.streams.callbacks.backend import InProcessBackend
from gateway_shim.streams.config import Cors, GatewayConfig
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.refusal_counts import RefusalCounts

__all__ = ["ServiceContainer"]

logger = logging.getLogger(__name__)


def _new_boot() -> Boot:
    return Boot(time.time_ns() // 1_000_000, str(uuid.uuid4()))


def _gateway_config(settings: Settings) -> GatewayConfig:
    return GatewayConfig(
        dialect=Dialect(settings.sse_dialect),
        heartbeat_interval=settings.heartbeat_interval_seconds,
        tells_heartbeat=True,
        max_buffer_bytes=settings.sse_max_buffer_bytes,
        max_total_buffer_bytes=settings.sse_max_total_buffer_bytes,
        max_connections=_max_connections(settings),
        max_connections_of_server=settings.sse_max_connections,
        max_connections_per_address=settings.sse_max_connections_per_address,
        proxies=TrustedProxies.parse(settings.trusted_proxies),
        max_request_connections_per_address=settings.max_request_connections_per_address,
        max_requests_per_connection=settings.max_requests_per_connection,
        max_pending_connects=settings.sse_max_pending_connects,
        keep_headers=False,  # the callback handler reads them at the connect only
        client_timeout=settings.sse_client_timeout_seconds,
        retry_ms=settings.sse_retry_ms,
        drain_retry_seconds=settings.sse_drain_retry_seconds,
        cors=Cors.parse(settings.cors_origins),
    )


def _max_connections(settings: Settings) -> int:
    configured = settings.sse_max_connections
    # Each listening address has this number of connections for itself.
    listeners = len(hosts(settings.host)) + (settings.admin_bind is not None)
    allowed = streams_allowed(raise_limit(), listeners * settings.max_request_connections)
    place = current_place()
    of_all = allowed * (1 if place is None else place.workers)  # each worker has the limit
    if configured is not None and configured > of_all:
        logger.warning(
            "SSE_MAX_CONNECTIONS is %d, but the descriptor limit allows %d streams; using %d."
            " Raise it with ulimit -n",
            configured,
            of_all,
            of_all,
        )
    return allowed if configured is None else min(configured, allowed)


def _state_place() -> StatePlace | None:
    place = current_place()
    if place is None:
        return None
    return StatePlace(place.directory, durable=place.survives_restart, workers=place.workers)


def _backend(
    callback_handler: Callable[[], CallbackHandler], connections: Callable[[], ConnectionManager]
) -> InProcessBackend:
    # The gateway calls the handler, and the handler's ConnectionManager calls the gateway. Both are
    # looked up at each callback, because they cannot exist before the gateway.
    def handle(payload: Mapping[str, Any]) -> CallbackAnswer:
        answer = callback_handler().handle_own(payload)
        audiences = connections().audiences_of(payload["token"]) if answer.status == 200 else ()
        return CallbackAnswer(answer.status, answer.phrase, audiences=audiences)

    return InProcessBackend(handle)


def _transport(
    settings: Settings, gateway: Callable[[], Gateway], loop_thread: LoopThread
) -> GatewayTransport:
    if settings.sse_gateway_url is None:
        return InProcessTransport(gateway())
    # Not at the top: importing the HTTP client takes 80 ms, and few servers need it.
    from app.services.remote_gateway.http_transport import HttpTransport

    secret = settings.sse_callback_secret
    return HttpTransport(
        settings.sse_gateway_url,
        time_limit=settings.sse_gateway_timeout_seconds,
        concurrency=settings.sse_gateway_concurrency,
        secret=secret.get_secret_value() if secret else None,
        loop_thread=loop_thread,
    )


def _publisher(settings: Settings, gateway: Callable[[], Gateway]) -> GatewayPublisher | None:
    """Return the way to the log of the gateway in this process; None if there is no log."""
    if settings.sse_gateway_url is not None or not gateway().replays:
        return None
    return GatewayPublisher(gateway())


def _holds(settings: Settings, gateway: Callable[[], Gateway]) -> Callable[[str], bool] | None:
    """Return the function that says whether a stream is open; None if another process has them."""
    return gateway().holds if settings.sse_gateway_url is None else None


def _max_event_bytes(settings: Settings) -> int:
    """Return the size of a task's largest event, bytes, without its frame and JSON escapes."""
    if settings.sse_gateway_url is not None:
        return MAX_BODY_BYTES // 3  # another gateway accepts it even with every quote escaped
    # A stream must be able to buffer several of the largest events before it counts as slow.
    return min(256 * 1024, settings.sse_max_buffer_bytes // 4)


class ServiceContainer(containers.DeclarativeContainer):
    """The services of one application, one of each. ``settings`` must be given."""

    settings = providers.Dependency(instance_of=Settings)

    loop_thread = providers.Singleton(LoopThread)
    shutdown_coordinator = providers.Singleton(
        ShutdownCoordinator,
        timeout=settings.provided.graceful_shutdown_timeout,
        loop_thread=loop_thread,
    )
    metrics_service = providers.Singleton(MetricsService)
    refusals = providers.Singleton(RefusalCounts)
    turnstile = providers.Singleton(Turnstile, settings.provided.max_answers_waiting)
    request_guard = providers.Singleton(RequestGuard, settings, refusals)
    loop_monitor = providers.Singleton(LoopMonitor, metrics_service, shutdown_coordinator)
    log_broadcaster = providers.Singleton(
        LogBroadcaster,
        formatter=providers.Callable(make_formatter, settings),
        shutdown_coordinator=shutdown_coordinator,
    )

    boot = providers.Singleton(_new_boot)
    console_sessions = providers.Singleton(Sessions, settings.provided.sse_console_password)
    authorizer = providers.Singleton(
        admit_console,
        providers.Callable(load_authorizer, settings.provided.sse_authorize),
        console_sessions,
    )
    callback_handler = providers.Singleton(
        CallbackHandler,
        authorize=authorizer,
        refusals=refusals,
        max_details=settings.provided.max_error_details,
    )
    bus = providers.Singleton(make_bus, settings)
    gateway = providers.Singleton(
        Gateway,
        config=providers.Callable(_gateway_config, settings),
        loop_thread=loop_thread,
        refusals=refusals,
        check=request_guard.provided.refuse_stream,
        open_log=providers.Callable(log_opener, settings, bus),
    )
    peers = gateway.provided.peers
    console_attempts = providers.Singleton(Attempts, peers=peers)
    limit_key = providers.Singleton(attrgetter("limit_key"), gateway)
    gateway_readiness = providers.Singleton(gateway_readiness, settings, bus)
    gateway_transport = providers.Singleton(_transport, settings, gateway.provider, loop_thread)
    connection_manager = providers.Singleton(
        ConnectionManager,
        transport=gateway_transport,
        metrics=metrics_service,
        loop_thread=loop_thread,
        holds=providers.Callable(_holds, settings, gateway.provider),
        publisher=providers.Callable(_publisher, settings, gateway.provider),
        peers=peers,
    )
    gateway.add_kwargs(
        backend=providers.Callable(_backend, callback_handler.provider, connection_manager.provider)
    )
    callback_handler.add_kwargs(connection_manager=connection_manager, holds=gateway.provided.holds)

    server_memory = providers.Singleton(ServerMemory, providers.Object(_state_place))
    version_service = providers.Singleton(
        VersionService,
        connection_manager,
        shutdown_coordinator,
        settings,
        memory=server_memory,
        peers=peers,
        loop_thread=loop_thread,
        bus_problem=bus.provided.problem,
    )
    task_registry = providers.Singleton(TaskRegistry, settings)
    task_service = providers.Singleton(
        TaskService,
        connection_manager,
        metrics_service,
        shutdown_coordinator,
        line_limits=providers.Factory(
            LineLimits,
            running=settings.provided.task_max_workers,
            waiting=settings.provided.task_max_waiting,
            waiting_bytes=settings.provided.task_max_waiting_bytes,
            per_client=settings.provided.task_max_per_address,
        ),
        timeout_seconds=settings.provided.task_timeout_seconds,
        store_limits=providers.Factory(
            StoreLimits,
            seconds=settings.provided.task_cleanup_interval_seconds,
            finished=settings.provided.task_max_finished,
            finished_bytes=settings.provided.task_max_finished_bytes,
        ),
        refusals=refusals,
        result_limits=providers.Factory(
            ResultLimits,
            event_bytes=providers.Callable(_max_event_bytes, settings),
            kept_bytes=settings.provided.task_max_result_bytes,
        ),
        memory=server_memory,
        peers=peers,
        loop_thread=loop_thread,
    )
    # What is known of all workers.
    workers_folder = providers.Singleton(WorkersFolder)
    _shared = (peers, workers_folder)
    server_metrics = providers.Singleton(ServerMetrics, metrics_service, *_shared)
    gateway_states = providers.Singleton(GatewayStates, gateway.provider, refusals, *_shared)
    all_streams = providers.Singleton(AllStreams, gateway.provider, connection_manager, peers)
    operations_feed = providers.Singleton(OperationsFeed, connection_manager, peers=peers)
    operations_sampler = providers.Singleton(
        make_sampler,
        settings,
        metrics_service,
        loop_monitor,
        gateway,
        gateway_readiness,
        operations_feed,
        shutdown_coordinator,
        folder=workers_folder,
    )
