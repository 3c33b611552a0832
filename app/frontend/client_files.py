"""``/static/sse-client.js``, and the files beside it: the browser client.

Pages and workers load it as a module. A page of another origin may do so if its origin is in
``CORS_ORIGINS``, as for every answer. The client belongs to the stream, so it is served wherever
the stream is: in production, too, and at every address.
"""

from __future__ import annotations

from flask import Blueprint, Response, request

from app.program.data_files import data_files

__all__ = ["CLIENT_PATHS", "blueprint"]

blueprint = Blueprint("client_files", __name__)

_FILES = data_files("gateway_shim/static")

CLIENT_PATHS = tuple(f"/static/{name}" for name in _FILES)
"""The paths of the files."""


@blueprint.get(f"/static/<any{tuple(_FILES)}:name>")
def send(name: str) -> Response:
    """Return a file of the client; 304 without a body if the browser has this version of it."""
    # There is no media type for TypeScript. As text, a browser shows the file.
    media_type = "text/javascript" if name.endswith(".js") else "text/plain"
    response = Response(_FILES[name], mimetype=media_type)
    response.add_etag()
    # A cache asks each time, so that a page never runs the client of an earlier version.
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.make_conditional(request)
    return response
