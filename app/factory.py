"""Builds the Flask application. This module contains the wiring only."""

from __future__ import annotations

from flask import Flask

from app.access.admin_gate import AdminGate
from app.access.body_limits import BodyLimits
from app.api import gateway, health, metrics, sse, tasks, testing
from app.api.cors import register_cors
from app.api.errors import register_error_handlers
from app.api.index import register_index
from app.api.injection import CONTAINER
from app.api.json_body import MAX_JSON_BYTES
from app.api.request_checks import register_request_checks
from app.config import Settings, load_settings
from app.console import events as console_events
from app.console import files as console_files
from app.console import login as console_login
from app.console import pages as console_pages
from app.console import streams as console_streams
from app.console import tasks as console_tasks
from app.console.access import register_access
from app.console.operations import api as console_operations
from app.container import ServiceContainer
from app.frontend import client_files
from app.services.bus.collector import BusCollector
from app.serving.backend_runtime import BackendRuntime
from app.serving.user_modules import make_importable
from gateway_shim.event_loop.patching import support_native_threads
from gateway_shim.server.responses.transfers import TransferLimits
from gateway_shim.server.runtime import EXTENSION
from gateway_shim.streams.config import Cors

__all__ = ["build"]

_CONSOLE = (
    console_pages,
    console_files,
    console_login,
    console_tasks,
    console_events,
    console_streams,
    console_operations,
)
_MODULES = (sse, tasks, health, metrics, gateway, testing, client_files, *_CONSOLE)


def build(settings: Settings | None = None) -> Flask:
    """Make the application and its services.

    Several applications in one process share only the process itself: its imported modules, and its
    log, whose configuration is not changed.

    Args:
        settings: the settings; None: they are read from the environment.

    Raises:
        InvalidSettings: a setting cannot be used; the message says which.
    """
    support_native_threads()  # needed if other code than our worker has patched the process
    settings = settings or load_settings()
    make_importable(settings.app_tasks_path)
    container = ServiceContainer(settings=settings)
    serves_streams = settings.sse_gateway_url is None

    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask's default provider has it
    app.extensions[CONTAINER] = container
    app.config[MAX_JSON_BYTES] = settings.max_json_bytes
    register_error_handlers(app, settings.max_error_details)
    guard, areas, refusals = container.request_guard(), settings.areas, container.refusals()
    register_request_checks(app, guard, areas, refusals)
    register_index(app, settings, guard, areas)
    register_access(
        app,
        [module.blueprint.name for module in _CONSOLE],
        areas=areas,
        guard=guard,
        sessions=container.console_sessions(),
        refusals=refusals,
    )
    register_cors(app, Cors.parse(settings.cors_origins))
    for module in _MODULES:
        is_enabled = settings.is_testing or module is not testing
        app.register_blueprint(module.blueprint if is_enabled else testing.disabled_blueprint)

    container.metrics_service().watch_refusals(lambda: refusals.by_reason)
    if serves_streams:
        container.metrics_service().watch_gateway(lambda: container.gateway().read_stats())
    if settings.sse_bus_url is not None:
        container.metrics_service().watch(BusCollector(container.bus().read_state))
    # Made now and not at their first use, because these services register themselves with others.
    # A task or a hook that cannot be imported must be an error before the first request.
    container.boot()
    container.authorizer()
    container.task_registry()
    container.version_service()
    container.task_service()
    container.log_broadcaster()
    # These answer the other workers.
    container.gateway_states()
    container.all_streams()
    container.console_attempts()
    # Made last, because the shutdown runs in the order of registration: the streams must end after
    # everything that sends to them.
    app.extensions[EXTENSION] = BackendRuntime(
        container.gateway(),
        container.connection_manager().drain,
        container.shutdown_coordinator(),
        container.loop_monitor(),
        container.server_memory(),
        container.operations_sampler(),
        container.server_metrics(),
        serves_streams=serves_streams,
        limits=_transfer_limits(settings),
        body_limit=BodyLimits(
            app,
            [module.blueprint.name for module in _MODULES],
            json_bytes=settings.max_json_bytes,
            body_bytes=settings.max_body_bytes,
        ).limit,
    )
    if settings.admin_address is not None:
        app.wsgi_app = AdminGate(  # type: ignore[method-assign]  # Flask's documented place for it
            app.wsgi_app, settings.admin_address, settings.open_areas, refusals
        )
    return app


def _transfer_limits(settings: Settings) -> TransferLimits:
    return TransferLimits(
        max_body_bytes=settings.max_body_bytes,
        max_bodies_bytes=settings.max_bodies_bytes,
        answer_seconds=settings.answer_seconds,
        max_answers_bytes=settings.max_answers_bytes,
    )
