"""Applications for the API's tests: the real one, with whatever a test overrides."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask import Flask

from app.config import Settings
from app.factory import build

MakeApp = Callable[..., Flask]


@pytest.fixture
def make_app() -> Iterator[MakeApp]:
    """Make applications with the given settings; afterwards the process is as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    apps: list[Flask] = []

    def make(**settings: Any) -> Flask:
        app = build(Settings(_env_file=None, **settings))
        apps.append(app)
        return app

    yield make
    for app in apps:
        app.extensions["container"].unwire()
    root.handlers[:] = handlers
    root.setLevel(level)
