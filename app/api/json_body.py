"""The JSON body of the current request."""

from __future__ import annotations

from flask import current_app, request
from werkzeug.exceptions import UnsupportedMediaType

from app.access.body_limits import DEFAULT_JSON_BYTES
from app.errors import BadRequest, shortened
from gateway_shim.protocol import json_text
from gateway_shim.protocol.bodies.content_coding import is_identity

__all__ = ["MAX_JSON_BYTES", "read_json", "require_json"]

MAX_JSON_BYTES = "MAX_JSON_BYTES"
"""The key in an application's configuration of the largest body that is read, bytes."""

_CODING_CHARACTERS = 40


def require_json() -> None:
    """Let the current request pass if it has no body, or says that the body is JSON.

    A page may have a browser post ``text/plain`` to any server, but not JSON: for JSON of another
    origin the browser asks the server first (CORS preflight).

    Raises:
        UnsupportedMediaType: the Content-Type is another one, or there is none.
    """
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    if has_body and not request.is_json:
        raise UnsupportedMediaType("The body must be JSON: send Content-Type: application/json")


def read_json() -> object:
    """Parse the request's body.

    Raises:
        BadRequest: there is no body, or it is not JSON (RFC 8259: ``NaN`` is not).
        UnsupportedMediaType: it does not say that it is JSON, or it is compressed.
        RequestEntityTooLarge: it is larger than the application's :data:`MAX_JSON_BYTES` says.
    """
    require_json()
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
        return json_text.loads(body.decode("utf-8-sig"))
    except (ValueError, RecursionError) as exc:
        raise BadRequest("Invalid JSON") from exc
