"""``POST /api/sse/callback``: the callbacks of a gateway outside this process."""

from __future__ import annotations

from dependency_injector.wiring import Provide
from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from app.api.injection import inject
from app.api.json_body import read_json
from app.api.secret import carries_secret, require_secret
from app.config import Settings
from app.container import ServiceContainer
from app.services.callback_handler import CallbackHandler
from gateway_shim.protocol.backend_start import BOOT_HEADER, Boot
from gateway_shim.protocol.http import status_phrase

__all__ = ["blueprint"]

blueprint = Blueprint("sse", __name__)


@blueprint.post("/api/sse/callback")
@inject
def callback(
    settings: Settings = Provide[ServiceContainer.settings],
    handler: CallbackHandler = Provide[ServiceContainer.callback_handler],
    boot: Boot = Provide[ServiceContainer.boot],
) -> ResponseReturnValue:
    """Check the secret and the body, and pass the callback to the handler.

    Every answer contains the ID of this start of the backend, so that the gateway notices a restart
    (:mod:`gateway_shim.streams.callbacks.backend_starts`).
    """
    require_secret(settings)
    answer = handler.handle(read_json(), trusted=carries_secret(settings))
    response = jsonify(answer.body)
    response.status = f"{answer.status} {answer.phrase or status_phrase(answer.status)}"
    response.headers[BOOT_HEADER] = str(boot)
    return response
