"""The backend of the client's tests: the application with one more route, which publishes numbers.

``POST /publish`` broadcasts events ``number`` with consecutive numbers, many of them with one
request, and ``POST /send`` broadcasts one event of any name.
"""

from __future__ import annotations

import json

from dependency_injector.wiring import Provide
from flask import Flask, request
from flask.typing import ResponseReturnValue

from app import create_app
from app.api.injection import inject
from app.container import ServiceContainer
from app.lifecycle import ShutdownCoordinator
from app.services.connection_manager import ConnectionManager, ServiceType

__all__ = ["create"]


def create() -> Flask:
    """Create the application with the routes ``/publish`` and ``/send``."""
    app = create_app()
    app.add_url_rule("/publish", view_func=_publish, methods=["POST"])
    app.add_url_rule("/send", view_func=_send, methods=["POST"])
    return app


@inject
def _publish(
    connections: ConnectionManager = Provide[ServiceContainer.connection_manager],
    coordinator: ShutdownCoordinator = Provide[ServiceContainer.shutdown_coordinator],
) -> ResponseReturnValue:
    """Publish numbers, and answer how many. A server that is shutting down publishes no more."""
    body = json.loads(request.get_data())
    filling = "x" * body["filling"]
    for published in range(body["count"]):
        if coordinator.is_shutting_down():
            return {"published": published}
        event = {"n": body["first"] + published, "filling": filling}
        connections.send_event(None, event, "number", ServiceType.TASK)
    return {"published": body["count"]}


@inject
def _send(
    connections: ConnectionManager = Provide[ServiceContainer.connection_manager],
) -> ResponseReturnValue:
    body = json.loads(request.get_data())
    connections.send_event(None, body["data"], body["name"], ServiceType.TASK)
    return {}
