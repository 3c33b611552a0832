"""The backend with one more page, which counts greenlets: for the soak."""

from __future__ import annotations

import gc

import greenlet
from flask import Flask

from app import create_app

__all__ = ["create"]


def create() -> Flask:
    """Make the application."""
    app = create_app()
    app.add_url_rule("/soak/greenlets", view_func=_count)
    return app


def _count() -> str:
    gc.collect()
    # Without those that have no parent: each native thread has one, from its first look at it.
    return str(
        sum(
            isinstance(thing, greenlet.greenlet) and not thing.dead and thing.parent is not None
            for thing in gc.get_objects()
        )
    )
