"""The backend: what happened, and to whom it matters."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Flask

    from app.config import Settings

__all__ = ["create_app"]


def create_app(settings: Settings | None = None) -> Flask:
    """Make the WSGI application, streams included.

    gunicorn calls it in the worker: ``gunicorn -c gunicorn.conf.py "app:create_app()"``. It does
    not set up logging, because a process's log is the program's: ``sse-monolith serve`` and
    gunicorn.conf.py do. Your own program can call
    :func:`app.logs.configure_logging`, which masks secrets, or set up its own.

    Args:
        settings: the settings; None: read from the environment.

    Raises:
        InvalidSettings: a setting cannot work; says which.
    """
    # Here, not above: gunicorn's arbiter imports this package for its settings, in a process
    # that gevent does not patch, and what it imported would be forked into the worker unpatched.
    from app.factory import build

    return build(settings)
