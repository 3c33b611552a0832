"""``/console/api/events``: publishes an event, and reports which streams took it."""

from __future__ import annotations

from typing import Annotated, Any

from dependency_injector.wiring import Provide
from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from app.api.injection import inject
from app.api.json_body import read_json
from app.console.all_streams.asking import AllStreams
from app.console.operations.feed import EVENT_NAME
from app.container import ServiceContainer
from app.errors import BadRequest, Unavailable
from app.schemas.sse_gateway_schema import RequestId
from app.services.connection_manager import ConnectionManager, ServiceType
from app.services.connections.event_json import event_json
from app.services.connections.send_outcome import SendOutcome
from gateway_shim.protocol.event_stream import Event, check_event_name
from gateway_shim.protocol.json_text import is_json

__all__ = ["PublishRequest", "blueprint"]

blueprint = Blueprint("console_events", __name__)

MAX_NAME_CHARACTERS = 200


def _check_name(name: str) -> str:
    if name == EVENT_NAME:
        raise ValueError(f"{EVENT_NAME} is an event of the console's own; use another name")
    return check_event_name(name)


class PublishRequest(BaseModel):
    """An event to publish.

    Args:
        name: the event's name; empty: the default type ``message``.
        data: the event's data, any JSON.
        request_id: the request id of the stream that gets the event; None: all streams.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(max_length=MAX_NAME_CHARACTERS), AfterValidator(_check_name)]
    data: Any
    request_id: RequestId | None = None


@blueprint.post("/console/api/events")
@inject
def publish(
    connections: ConnectionManager = Provide[ServiceContainer.connection_manager],
    streams: AllStreams = Provide[ServiceContainer.all_streams],
) -> ResponseReturnValue:
    """Publish an event.

    The answer has the event's ``id`` (empty: it is not in a log), whether it is ``kept`` for
    browsers that come back, the number of streams that took it, ``delivered``, and the number of
    all ``streams``. If other workers deliver it, too, ``delivered`` are the streams of this worker,
    and ``elsewhere`` is true.
    """
    body = PublishRequest.model_validate(read_json())
    try:
        event = Event(body.name, _data_json(body.data))
    except ValueError as exc:
        raise BadRequest("Invalid payload", [_fault("data", str(exc))]) from exc
    report = connections.send(body.request_id, event, ServiceType.CONSOLE)
    if report.outcome is SendOutcome.ERROR:
        raise Unavailable("The event was not sent; the server's log has the reason")
    elsewhere = {"elsewhere": True} if streams.are_elsewhere else {}
    return jsonify(
        {
            "id": report.id,
            "kept": bool(report.id),
            "delivered": report.delivered,
            "streams": streams.count(),
            "request_id": body.request_id,
        }
        | elsewhere
    )


def _data_json(data: object) -> str:
    text = event_json(data)
    if not is_json(text):  # 1e999 is read as infinity, which browsers cannot parse
        raise ValueError("a number is too large; write it as text, in quotation marks")
    return text


def _fault(field: str, message: str) -> dict[str, Any]:
    return {"loc": [field], "msg": message, "type": "value_error"}
