"""``/api/testing``: the testing API, with which browser tests cause events.

It exists only with FLASK_ENV=testing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import Enum
from typing import TypeVar

from dependency_injector.wiring import Provide
from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from app.api.injection import inject
from app.api.json_body import read_json
from app.config import Settings
from app.container import ServiceContainer
from app.errors import (
    BadRequest,
    InvalidOperationException,
    NotFound,
    Unavailable,
    validation_details,
)
from app.schemas.testing_schema import (
    DeploymentVersionRequest,
    DeploymentVersionResponse,
    TestingEventRequest,
    TestingEventResponse,
    TestingTaskRequest,
)
from app.services.connection_manager import ConnectionManager, ServiceType
from app.services.log_broadcast import LogBroadcaster, LogSubscription, SubscriptionClosed
from app.services.version_service import Announcement, VersionService
from app.tasks.registry import TaskRegistry
from app.tasks.run.events import EVENT_NAME, task_event
from app.tasks.service import TaskService
from gateway_shim.protocol.event_stream import HEARTBEAT, Dialect, Event, encode

__all__ = ["blueprint", "disabled_blueprint"]

blueprint = Blueprint("testing", __name__)
disabled_blueprint = Blueprint("testing_disabled", __name__)
"""Is registered instead of ``blueprint`` where FLASK_ENV is not ``testing``."""

Model = TypeVar("Model", bound=BaseModel)


@disabled_blueprint.route(
    "/api/testing/<path:_>", methods=["GET", "POST", "PUT", "PATCH", "DELETE"]
)
def refuse(_: str) -> ResponseReturnValue:
    """Answer every request with 404, and say what enables the testing API."""
    raise NotFound("The testing API exists only with FLASK_ENV=testing")


@blueprint.post("/api/testing/deployments/version")
@inject
def announce_version(
    service: VersionService = Provide[ServiceContainer.version_service],
) -> ResponseReturnValue:
    """Broadcast a version and keep it for one request id: 202, and whether its stream got it."""
    body = _read_body(DeploymentVersionRequest)
    outcome = service.announce(body.request_id, body.version, body.changelog)
    if outcome is Announcement.REFUSED:
        raise InvalidOperationException("The server is shutting down; no version is announced")
    if outcome is Announcement.LOST:
        raise Unavailable("The version was not published: the event log did not take it")
    response = DeploymentVersionResponse(
        request_id=body.request_id,
        delivered=outcome is Announcement.DELIVERED,
        status=outcome.value,
    )
    return jsonify(response.model_dump()), 202


@blueprint.post("/api/testing/sse/task-event")
@inject
def send_task_event(
    connections: ConnectionManager = Provide[ServiceContainer.connection_manager],
) -> ResponseReturnValue:
    """Send a ``task_event`` to one stream: 200 if the stream took it, 400 if there is no stream."""
    body = _read_body(TestingEventRequest)
    event = task_event(body.task_id, body.event_type, body.data, datetime.now(UTC))
    # Asked first: a log keeps the event also if there is no stream, and would replay it later.
    is_connected = connections.has_connection(body.request_id)
    if not is_connected or not connections.send_event(
        body.request_id, event, EVENT_NAME, ServiceType.TASK
    ):
        if connections.has_connection(body.request_id):
            raise Unavailable("The gateway did not take the event; the log says why")
        raise BadRequest(
            f"No stream is connected with request_id {body.request_id};"
            " open GET /api/sse/stream?request_id=… first"
        )
    response = TestingEventResponse(**body.model_dump(exclude={"data"}))
    return jsonify(response.model_dump(mode="json"))


@blueprint.post("/api/testing/tasks/start")
@inject
def start_task(
    registry: TaskRegistry = Provide[ServiceContainer.task_registry],
    service: TaskService = Provide[ServiceContainer.task_service],
) -> ResponseReturnValue:
    """Start a demonstration task."""
    body = _read_body(TestingTaskRequest)
    task, params = registry.create(body.task_type, body.params)
    return jsonify(service.start_task(task, **params).model_dump(mode="json"))


@blueprint.get("/api/testing/logs/stream")
@inject
def stream_logs(
    settings: Settings = Provide[ServiceContainer.settings],
    broadcaster: LogBroadcaster = Provide[ServiceContainer.log_broadcaster],
) -> Response:
    """Stream the log lines that this worker writes from now on. Other workers have their own."""
    subscription = broadcaster.subscribe()
    response = Response(
        _events(subscription, settings.heartbeat_interval_seconds),
        mimetype="text/event-stream",
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
    )
    # Not a finally of the generator: it would never run for a client that left before the first
    # byte, or that asked for the headers only.
    response.call_on_close(subscription.close)
    return response


def _events(subscription: LogSubscription, heartbeat_seconds: float) -> Iterator[bytes]:
    # At once, so that the client gets the headers and knows that the stream is open.
    yield HEARTBEAT.bare
    dropped = 0
    while True:
        try:
            line = subscription.take(heartbeat_seconds)
        except SubscriptionClosed as closed:
            yield _event("connection_close", json.dumps({"reason": closed.reason}))
            return
        if subscription.dropped > dropped:
            yield _event("dropped", json.dumps({"lines": subscription.dropped - dropped}))
            dropped = subscription.dropped
        # A heartbeat also detects a client that has left, because writing to its socket fails.
        yield HEARTBEAT.bare if line is None else _event("log", line)


def _event(name: str, data: str) -> bytes:
    return encode(Event(name, data), Dialect.NAMED)


def _read_body(model: type[Model]) -> Model:
    try:
        return model.model_validate(read_json())
    except ValidationError as exc:
        fields = ", ".join(_describe(name, field) for name, field in model.model_fields.items())
        raise BadRequest(
            f"Invalid payload; expected an object with {fields}", validation_details(exc)
        ) from exc


def _describe(name: str, field: FieldInfo) -> str:
    """Return the description of a field for an error message."""
    kind = field.annotation
    if isinstance(kind, type) and issubclass(kind, Enum):
        return f"{name} (one of {', '.join(member.value for member in kind)})"
    return name if field.is_required() else f"{name} (optional)"
