"""The CORS headers of all answers of Flask. The gateway adds the CORS headers of streams."""

from __future__ import annotations

from flask import Flask, Response, request

from gateway_shim.streams.config import Cors

__all__ = ["register_cors"]


def register_cors(app: Flask, cors: Cors) -> None:
    """Add CORS headers to an application's answers, including those to preflight requests.

    Args:
        app: the application.
        cors: the origins whose pages may read answers.
    """

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in cors.headers({"origin": request.headers.get("Origin", "")}):
            response.headers.add(name, value)
        return response
