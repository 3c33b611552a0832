"""``/console/api/tasks`` and ``/console/api/task-types``: the tasks, for the page Tasks.

The views of ``/api/tasks`` answer here, too, because the tasks API of a server in production may be
closed while its console is open.
"""

from __future__ import annotations

import logging

from dependency_injector.wiring import Provide
from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from pydantic_core import to_json

from app.api import tasks
from app.api.injection import inject
from app.console.task_forms import task_form
from app.container import ServiceContainer
from app.errors import InvalidOperationException
from app.tasks.registry import TaskRegistry
from app.tasks.service import TaskService

__all__ = ["blueprint"]

logger = logging.getLogger(__name__)

blueprint = Blueprint("console_tasks", __name__)

_TASKS = "/console/api/tasks"

blueprint.add_url_rule(_TASKS, view_func=tasks.list_tasks, methods=["GET"])
blueprint.add_url_rule(_TASKS, view_func=tasks.start_task, methods=["POST"])
blueprint.add_url_rule(
    f"{_TASKS}/<task_id>/status", view_func=tasks.get_task_status, methods=["GET"]
)
blueprint.add_url_rule(f"{_TASKS}/<task_id>/cancel", view_func=tasks.cancel_task, methods=["POST"])
blueprint.add_url_rule(f"{_TASKS}/<task_id>", view_func=tasks.remove_task, methods=["DELETE"])


@blueprint.get(f"{_TASKS}/<task_id>/params")
@inject
def get_params(
    task_id: str, service: TaskService = Provide[ServiceContainer.task_service]
) -> ResponseReturnValue:
    """Return the params that a task was started with; null if they are not remembered.

    Secrets are not among them. ``left_out`` has the names of the secrets that were sent.
    """
    _, remembered = service.get_start(task_id)
    if remembered is None:
        return jsonify({"params": None, "left_out": []})
    return jsonify({"params": remembered.read(), "left_out": remembered.left_out})


@blueprint.post(f"{_TASKS}/<task_id>/retry")
@inject
def retry_task(
    task_id: str, service: TaskService = Provide[ServiceContainer.task_service]
) -> ResponseReturnValue:
    """Start a task again with the same params: 202 as for a start; 409 if they are incomplete.

    The params do not go through the browser, which would round large numbers.
    """
    task_type, remembered = service.get_start(task_id)
    if remembered is None:
        raise InvalidOperationException(
            "The server does not remember the params of this task; enter them, and start it"
        )
    if remembered.left_out:
        raise InvalidOperationException(
            "The server does not remember secrets; enter them again, and start the task:"
            f" {', '.join(remembered.left_out)}"
        )
    return tasks.start(task_type, remembered.read(), remembered.text, _TASKS)


@blueprint.get("/console/api/task-types")
@inject
def list_task_types(
    registry: TaskRegistry = Provide[ServiceContainer.task_registry],
) -> ResponseReturnValue:
    """Return the form of each task type, in alphabetical order."""
    forms = b",".join(_form(registry, name) for name in registry.names)
    return Response(b'{"task_types":[' + forms + b"]}", mimetype="application/json")


def _form(registry: TaskRegistry, name: str) -> bytes:
    """Return the form of a task type as JSON. An infinite default becomes null."""
    try:
        return to_json(task_form(registry.make(name)), inf_nan_mode="null")
    except Exception:
        # The constructor of a task is foreign code. The other types must still be shown.
        logger.exception("the form of a task type cannot be made", extra={"task_type": name})
        return to_json({"name": name, "help": "", "fields": [], "accepts_more": True})
