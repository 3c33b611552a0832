"""The gateway's endpoints in Flask: ``/internal/send``, and streams that cannot be opened."""

from __future__ import annotations

from dependency_injector.wiring import Provide
from flask import Blueprint, Response, request

from app.api.injection import inject
from app.api.secret import require_secret
from app.config import Settings
from app.container import ServiceContainer
from app.errors import AppError, NotFound, NotServing
from app.serving.backend_runtime import STREAM_PATH
from gateway_shim.log_lines.redaction import Redactor
from gateway_shim.protocol import http
from gateway_shim.protocol.routes import path_of
from gateway_shim.streams.gateway import Gateway
from gateway_shim.streams.send_endpoint import answer_send

__all__ = ["blueprint"]

blueprint = Blueprint("gateway", __name__)


@blueprint.post("/internal/send")
@inject
def send(
    settings: Settings = Provide[ServiceContainer.settings],
    gateway: Gateway = Provide[ServiceContainer.gateway],
) -> Response:
    """Send to a stream by its token, like any gateway. Off unless SSE_INTERNAL_SEND=on."""
    if settings.sse_internal_send == "off":
        raise NotFound("POST /internal/send is off; SSE_INTERNAL_SEND=on turns it on")
    require_secret(settings)
    body = request.stream.read(http.MAX_BODY_BYTES + 1)
    coding = request.headers.get("Content-Encoding")
    status, answer = answer_send(gateway, request.content_type, body, coding)
    return Response(answer, status, content_type=http.JSON_CONTENT_TYPE)


@blueprint.get(STREAM_PATH)
@inject
def stream(settings: Settings = Provide[ServiceContainer.settings]) -> Response:
    """Refuse a stream. The worker takes every request for a stream that this server can open."""
    if path_of(request.environ.get("RAW_URI", STREAM_PATH)) != STREAM_PATH:
        raise NotFound(f"The stream's path is {STREAM_PATH}, without escapes")
    if settings.sse_gateway_url is not None:
        # The URL may contain a password, and everyone may read this answer.
        url = Redactor().text(settings.sse_gateway_url)
        raise StreamsElsewhere(f"Streams are served by the gateway at {url}")
    raise NotServing("This server cannot hold streams")


class StreamsElsewhere(AppError):
    """A stream was requested from this server, but another gateway serves the streams."""

    status = 503
