"""The JSON body of the current request."""

from __future__ import annotations

import json
from typing import NoReturn

from flask import current_app, request
from werkzeug.exceptions import UnsupportedMediaType

from app.body_limits import DEFAULT_JSON_BYTES
from app.errors import BadRequest, shortened
from gateway_shim.content_coding import is_identity

__all__ = ["MAX_JSON_BYTES", "read_json"]

MAX_JSON_BYTES = "MAX_JSON_BYTES"
"""The key in an application's configuration of the largest body that is read, bytes."""

_CODING_CHARACTERS = 40


def read_json() -> object:
    """Parse the request's body, whatever its Content-Type says.

    Raises:
        BadRequest: there is no body, or it is not JSON (RFC 8259: ``NaN`` is not).
        UnsupportedMediaType: it is compressed.
        RequestEntityTooLarge: it is larger than the application's :data:`MAX_JSON_BYTES` says.
    """
    coding = request.headers.get("Content-Encoding")
    if not is_identity(coding):
        raise UnsupportedMediaType(
            f"The body's Content-Encoding is {shortened(coding or '', _CODING_CHARACTERS)!r};"
            " send the body uncompressed"
        )
    request.max_content_length = current_app.config.get(MAX_JSON_BYTES, DEFAULT_JSON_BYTES)
    body = request.get_data(cache=False)
    if not body.strip():
        raise BadRequest("Missing JSON body")
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise BadRequest("Invalid JSON") from exc


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
