"""CORS for everything that Flask answers; streams get theirs from the gateway."""

from __future__ import annotations

from flask import Flask, Response, request

from gateway_shim.streams.config import Cors

__all__ = ["register_cors"]


def register_cors(app: Flask, cors: Cors) -> None:
    """Add CORS headers to an application's answers, preflights included.

    Args:
        app: the application.
        cors: which origins may read.
    """

    @app.after_request
    def add_headers(response: Response) -> Response:
        for name, value in cors.headers({"origin": request.headers.get("Origin", "")}):
            response.headers.add(name, value)
        return response
