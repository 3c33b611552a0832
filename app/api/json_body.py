"""The JSON body of the current request."""

from __future__ import annotations

import json
from typing import NoReturn

from flask import request
from werkzeug.exceptions import UnsupportedMediaType

from app.errors import BadRequest
from gateway_shim.content_coding import is_identity

__all__ = ["MAX_BODY_BYTES", "read_json"]

MAX_BODY_BYTES = 1024 * 1024
"""The largest body that is read; a callback repeats a browser's headers, which are smaller."""


def read_json() -> object:
    """Parse the request's body, whatever its Content-Type says.

    Raises:
        BadRequest: there is no body, or it is not JSON (RFC 8259: ``NaN`` is not).
        UnsupportedMediaType: it is compressed.
        RequestEntityTooLarge: it is larger than :data:`MAX_BODY_BYTES`.
    """
    coding = request.headers.get("Content-Encoding")
    if not is_identity(coding):
        raise UnsupportedMediaType(
            f"The body's Content-Encoding is {coding!r}; send the body uncompressed"
        )
    request.max_content_length = MAX_BODY_BYTES
    body = request.get_data(cache=False)
    if not body.strip():
        raise BadRequest("Missing JSON body")
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as exc:
        raise BadRequest("Invalid JSON") from exc


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
