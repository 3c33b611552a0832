"""The backend: a Flask application whose services send events to browsers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.config import Settings

__all__ = ["create_app"]


def create_app(settings: Settings | None = None) -> Flask:
    """Make the WSGI application, streams included.

    gunicorn calls this function in the worker: ``gunicorn -c gunicorn.conf.py "app:create_app()"``.

    The function does not set up logging, because the program decides about the log of its process:
    ``sse-monolith serve`` and gunicorn.conf.py set it up. Your own program can call
    :func:`app.logs.configure_logging`, which masks secrets, or set up logging itself.

    Args:
        settings: the settings; None to read them from the environment.

    Raises:
        InvalidSettings: a setting cannot work; says which.
    """
    # Not at the top, for two reasons. Every command imports this package first, and most commands
    # need no Flask. And the arbiter must not import the application: each worker imports it anew,
    # so that a worker after "serve --reload" has seen a change runs the changed code.
    from app.factory import build

    return build(settings)
