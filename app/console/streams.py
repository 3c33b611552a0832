"""``/console/api/streams``: lists the streams, a page at a time, and closes one."""

from __future__ import annotations

import re
import time

from dependency_injector.wiring import Provide
from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from app.api.costly import costly
from app.api.injection import inject
from app.config import Settings
from app.console.all_streams.asking import AllStreams
from app.console.stream_table import Sort, page_of, remote_rows
from app.container import ServiceContainer
from app.errors import BadRequest, NotFound, Unavailable, shortened
from app.services.connection_manager import ConnectionManager
from app.services.gateway_transport import GatewayTransport, TransportError
from gateway_shim.streams.gateway import Gateway

__all__ = ["blueprint"]

blueprint = Blueprint("console_streams", __name__)

_FIND_CHARACTERS = 200
_ORDERS = ("asc", "desc")


@blueprint.get("/console/api/streams")
@costly
@inject
def list_streams(
    settings: Settings = Provide[ServiceContainer.settings],
    connections: ConnectionManager = Provide[ServiceContainer.connection_manager],
    gateway: Gateway = Provide[ServiceContainer.gateway],
    streams: AllStreams = Provide[ServiceContainer.all_streams],
) -> ResponseReturnValue:
    """List one page of the streams."""
    sort = _choice("sort", tuple(Sort), Sort.AGE)
    order = _choice("order", _ORDERS, "asc")
    find, number = _find(), _page()
    is_remote = settings.sse_gateway_url is not None
    if is_remote:
        rows = remote_rows(connections.registered(), time.monotonic())
        page = page_of(rows, find, Sort(sort), number, descending=order == "desc")
    else:
        page = streams.page(find, Sort(sort), number, descending=order == "desc")
    answer = page._asdict()
    answer["incomplete"] = not answer.pop("is_complete")
    answer["streams"] = [row.as_json() for row in answer.pop("rows")]
    return jsonify(answer | {"remote": is_remote, "replays": not is_remote and gateway.replays})


@blueprint.post("/console/api/streams/<path:token>/close")
@inject
def close_stream(
    token: str,
    settings: Settings = Provide[ServiceContainer.settings],
    connections: ConnectionManager = Provide[ServiceContainer.connection_manager],
    gateway: Gateway = Provide[ServiceContainer.gateway],
    transport: GatewayTransport = Provide[ServiceContainer.gateway_transport],
    streams: AllStreams = Provide[ServiceContainer.all_streams],
) -> ResponseReturnValue:
    """End one stream cleanly: 204, or 202 if a gateway elsewhere was asked to end it.

    A browser's EventSource connects again after such an end.
    """
    is_remote = settings.sse_gateway_url is not None
    if is_remote:
        is_known = any(stream.token == token for _, stream in connections.registered())
    else:
        is_known = gateway.holds(token)
    if not is_known and not is_remote and streams.close_elsewhere(token):
        return "", 204
    if not is_known:
        raise NotFound("This stream has already ended; refresh the list")
    try:
        transport.close(token)
    except TransportError as exc:
        raise Unavailable(f"The stream was not closed: {exc}") from exc
    return "", 202 if is_remote else 204


def _choice(name: str, allowed: tuple[str, ...], default: str) -> str:
    text = request.args.get(name, default)
    if text not in allowed:
        raise BadRequest(
            f"{name} is {shortened(text, 20)!r}; it must be one of {', '.join(allowed)}"
        )
    return text


def _find() -> str:
    text = request.args.get("find", "")
    if len(text) > _FIND_CHARACTERS:
        raise BadRequest(f"find is longer than {_FIND_CHARACTERS} characters")
    return text


def _page() -> int:
    text = request.args.get("page", "1")
    if re.fullmatch(r"[1-9][0-9]{0,5}", text, re.ASCII) is None:
        raise BadRequest(f"page is {shortened(text, 20)!r}; it must be a number from 1 to 999999")
    return int(text)
