"""``/console/api/operations``: the figures of the operations page."""

from __future__ import annotations

from dependency_injector.wiring import Provide
from flask import Blueprint, Response, jsonify
from flask.typing import ResponseReturnValue
from pydantic import BaseModel, ConfigDict, ValidationError

from app.api.injection import inject
from app.api.json_body import read_json
from app.console.operations.feed import OperationsFeed
from app.console.operations.sampler import Sampler
from app.container import ServiceContainer
from app.errors import BadRequest, validation_details
from app.schemas.sse_gateway_schema import RequestId
from app.services.connections.event_json import event_json

__all__ = ["blueprint"]

blueprint = Blueprint("console_operations", __name__)


class WatchRequest(BaseModel):
    """The stream that gets the samples.

    Args:
        request_id: its request id.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    request_id: RequestId


@blueprint.get("/console/api/operations")
@inject
def show(sampler: Sampler = Provide[ServiceContainer.operations_sampler]) -> ResponseReturnValue:
    """Return the samples of the last ten minutes, the warnings, and the limits."""
    return Response(event_json(sampler.state()), mimetype="application/json")


@blueprint.post("/console/api/operations/watch")
@inject
def watch(
    feed: OperationsFeed = Provide[ServiceContainer.operations_feed],
) -> ResponseReturnValue:
    """Send each sample to a stream from now on: 200, and whether it is connected now."""
    try:
        body = WatchRequest.model_validate(read_json())
    except ValidationError as exc:
        raise BadRequest(
            "Invalid payload; expected an object with request_id", validation_details(exc)
        ) from exc
    return jsonify({"connected": feed.watch(body.request_id)})
