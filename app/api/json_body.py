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
"""The key, in an application's configuration, of the size of the largest body, bytes."""

_CODING_CHARACTERS = 40


def require_json() -> None:
    """Check that the current request has no body, or that its Content-Type is JSON.

    A page can make a browser post ``text/plain`` to any server, but not JSON: before a browser
    posts JSON to another origin, it asks the server (CORS preflight).

    Raises:
        UnsupportedMediaType: there is a body, and its Content-Type is missing or not JSON.
    """
    has_body = bool(request.content_length) or "Transfer-Encoding" in request.headers
    if has_body and not request.is_json:
        raise UnsupportedMediaType("The body must be JSON: send Content-Type: application/json")


def read_json() -> object:
    """Parse the request's body.

    Raises:
        BadRequest: there is no body, or it is not JSON (in RFC 8259, ``NaN`` is not JSON).
        UnsupportedMediaType: its Content-Type is not JSON, or it is compressed.
        RequestEntityTooLarge: it is larger than the application's :data:`MAX_JSON_BYTES`.
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
