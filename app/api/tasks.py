"""``/api/tasks``: start tasks, look at them, stop them, forget them."""

from __future__ import annotations

from dependency_injector.wiring import Provide
from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import ValidationError
from werkzeug.exceptions import UnsupportedMediaType

from app.api.injection import inject
from app.api.json_body import read_json
from app.errors import BadRequest, validation_details
from app.schemas.task_schema import TaskListResponse, TaskStartRequest
from app.services.container import ServiceContainer
from app.services.task_registry import TaskRegistry
from app.services.task_service import TaskService

__all__ = ["blueprint"]

blueprint = Blueprint("tasks", __name__)


@blueprint.post("/api/tasks")
@inject
def start_task(
    registry: TaskRegistry = Provide[ServiceContainer.task_registry],
    service: TaskService = Provide[ServiceContainer.task_service],
) -> ResponseReturnValue:
    """Start a task by name: 202 with its id, under which its events arrive on every stream."""
    wanted = _start_request()
    task, params = registry.create(wanted.task_type, wanted.params)
    response = service.start_task(task, **params)
    location = f"/api/tasks/{response.task_id}/status"
    return jsonify(response.model_dump(mode="json")), 202, {"Location": location}


@blueprint.get("/api/tasks")
@inject
def list_tasks(
    registry: TaskRegistry = Provide[ServiceContainer.task_registry],
    service: TaskService = Provide[ServiceContainer.task_service],
) -> ResponseReturnValue:
    """List the tasks that are known, and the names that can be started."""
    response = TaskListResponse(tasks=service.list_tasks(), task_types=registry.names)
    return jsonify(response.model_dump(mode="json"))


@blueprint.get("/api/tasks/<task_id>/status")
@inject
def get_task_status(
    task_id: str, service: TaskService = Provide[ServiceContainer.task_service]
) -> ResponseReturnValue:
    """Show one task, with its result once it is completed."""
    return jsonify(service.get_task_status(task_id).model_dump(mode="json"))


@blueprint.post("/api/tasks/<task_id>/cancel")
@inject
def cancel_task(
    task_id: str, service: TaskService = Provide[ServiceContainer.task_service]
) -> ResponseReturnValue:
    """Stop a task: 200, or 409 if it is over already."""
    return jsonify(service.cancel_task(task_id).model_dump(mode="json"))


@blueprint.delete("/api/tasks/<task_id>")
@inject
def remove_task(
    task_id: str, service: TaskService = Provide[ServiceContainer.task_service]
) -> ResponseReturnValue:
    """Forget a task that is over: 204, or 409 if it is not."""
    service.remove_completed_task(task_id)
    return "", 204


def _start_request() -> TaskStartRequest:
    body = read_json()
    if not request.is_json:
        # Any web page may have a browser post text/plain here, but not JSON: that takes the
        # permission of CORS. So a foreign page cannot start tasks on somebody's machine.
        raise UnsupportedMediaType("The body is JSON; say so: Content-Type: application/json")
    try:
        return TaskStartRequest.model_validate(body)
    except ValidationError as exc:
        raise BadRequest(
            "Invalid task request; allowed is an object with task_type (a string) and params"
            " (an object, optional)",
            validation_details(exc),
        ) from exc
