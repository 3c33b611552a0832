"""The backend of the soak test: the application with one more page, which counts greenlets."""

from __future__ import annotations

import gc

import greenlet
from flask import Flask

from app import create_app

__all__ = ["create"]


def create() -> Flask:
    """Create the application with the page ``/soak/greenlets``."""
    app = create_app()
    app.add_url_rule("/soak/greenlets", view_func=_count)
    return app


def _count() -> str:
    gc.collect()
    # Greenlets without a parent are not counted: each native thread has one as soon as greenlet
    # is used on it.
    return str(
        sum(
            isinstance(thing, greenlet.greenlet) and not thing.dead and thing.parent is not None
            for thing in gc.get_objects()
        )
    )
