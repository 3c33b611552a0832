"""``/api/tasks``: start, list, read, cancel and remove tasks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from dependency_injector.wiring import Provide
from flask import Blueprint, Response, jsonify, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticSerializationError

from app.api.costly import SMALL_RESULT_BYTES, costly, wait_for_turn
from app.api.injection import inject
from app.api.json_body import read_json
from app.container import ServiceContainer
from app.errors import BadRequest, validation_details
from app.schemas.task_schema import TaskListResponse, TaskStartRequest
from app.tasks.params.remembered import remember_params
from app.tasks.registry import TaskRegistry
from app.tasks.run.record import TaskOrigin
from app.tasks.service import MAX_PAGE, TaskService
from app.tasks.state_reader import TaskStateReader
from gateway_shim.streams.gateway import Gateway

__all__ = [
    "blueprint",
    "cancel_task",
    "get_task_status",
    "list_tasks",
    "remove_task",
    "start",
    "start_task",
]

blueprint = Blueprint("tasks", __name__)


@blueprint.post("/api/tasks")
def start_task() -> ResponseReturnValue:
    """Start a task by name: 202 with the task's id, which is part of each event of the task."""
    body, text = _read_start_request()
    return start(body.task_type, body.params, text, request.path)


@inject
def start(
    task_type: str,
    params: Mapping[str, Any],
    text: str,
    tasks_path: str,
    registry: TaskRegistry = Provide[ServiceContainer.task_registry],
    service: TaskService = Provide[ServiceContainer.task_service],
    limit_key: Callable[[str], str] = Provide[ServiceContainer.limit_key],
) -> ResponseReturnValue:
    """Start a task for the client of the current request, and return the answer.

    Args:
        task_type: the name of a task that is offered.
        params: the parameters of the task by name.
        text: the same parameters as JSON.
        tasks_path: the path of the tasks, below which the status of the new task is.
        registry: has the task types.
        service: runs the task.
        limit_key: returns the client that an address belongs to.

    Raises:
        BadRequest: the name is unknown, or the parameters are invalid.
        TooBusy: too many tasks are waiting, or too many tasks of the client are unfinished.
    """
    task, checked = registry.create(task_type, params)
    origin = TaskOrigin(
        limit_key(request.remote_addr or ""), len(text), remember_params(task, params, text)
    )
    response = service.start_task_for(origin, task, **checked)
    location = f"{tasks_path}/{response.task_id}/status"
    return jsonify(response.model_dump(mode="json")), 202, {"Location": location}


@blueprint.get("/api/tasks")
@costly
@inject
def list_tasks(
    registry: TaskRegistry = Provide[ServiceContainer.task_registry],
    service: TaskService = Provide[ServiceContainer.task_service],
    gateway: Gateway = Provide[ServiceContainer.gateway],
) -> ResponseReturnValue:
    """List one page of the tasks, and the types of tasks that can be started."""
    reader = TaskStateReader(service, gateway)
    cursor, page = reader.list_tasks(_limit(), request.args.get("before"))
    return _json(
        TaskListResponse(
            tasks=page.tasks,
            next=page.next,
            task_types=registry.names,
            last_event_id=cursor,
            incomplete=not page.is_complete,
        )
    )


@blueprint.get("/api/tasks/<task_id>/status")
@inject
def get_task_status(
    task_id: str,
    service: TaskService = Provide[ServiceContainer.task_service],
    gateway: Gateway = Provide[ServiceContainer.gateway],
) -> ResponseReturnValue:
    """Return one task, with its result if it is completed."""
    if service.result_bytes(task_id) > SMALL_RESULT_BYTES:
        wait_for_turn()
    body = TaskStateReader(service, gateway).get_task_status_json(task_id)
    return Response(body, mimetype="application/json")


@blueprint.post("/api/tasks/<task_id>/cancel")
@inject
def cancel_task(
    task_id: str, service: TaskService = Provide[ServiceContainer.task_service]
) -> ResponseReturnValue:
    """Cancel a task: 200, or 409 if it has already ended."""
    return jsonify(service.cancel_task(task_id).model_dump(mode="json"))


@blueprint.delete("/api/tasks/<task_id>")
@inject
def remove_task(
    task_id: str, service: TaskService = Provide[ServiceContainer.task_service]
) -> ResponseReturnValue:
    """Remove a task that has ended: 204, or 409 if it has not."""
    service.remove_completed_task(task_id)
    return "", 204


def _limit() -> int:
    text = request.args.get("limit")
    if text is None:
        return MAX_PAGE
    if re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) is None:
        raise BadRequest(f"limit is {text[:20]!r}; it must be from 1 to {MAX_PAGE}")
    return int(text)


def _json(answer: BaseModel) -> Response:
    """Return an answer that may be large. Flask's own encoder takes nine times as long."""
    try:
        return Response(answer.model_dump_json(), mimetype="application/json")
    except PydanticSerializationError:  # half a surrogate pair, which jsonify escapes
        return jsonify(answer.model_dump(mode="json"))


def _read_start_request() -> tuple[TaskStartRequest, str]:
    """Return the request's body, and the parameters as JSON."""
    try:
        body = TaskStartRequest.model_validate(read_json())
    except ValidationError as exc:
        raise BadRequest(
            "Invalid task request; expected an object with task_type (a string) and params"
            " (an object, optional)",
            validation_details(exc),
        ) from exc
    try:
        return body, json.dumps(body.params)
    except RecursionError as exc:  # JSON can be read to a greater depth than it can be written
        raise BadRequest("Invalid JSON") from exc
