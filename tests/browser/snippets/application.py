"""The backend with the pages of a test: ``tests.browser.snippets.application:create()``."""

from __future__ import annotations

import os

from flask import Flask, Response, send_from_directory

from app import create_app

__all__ = ["create"]


def create() -> Flask:
    """Make the backend, which also serves the folder that the variable PAGES names."""
    app: Flask = create_app()
    folder = os.environ["PAGES"]

    @app.get("/favicon.ico")  # which browsers ask for
    def icon() -> Response:
        return Response(status=204)

    @app.get("/<name>")
    def page(name: str) -> Response:
        return send_from_directory(folder, name)

    return app
