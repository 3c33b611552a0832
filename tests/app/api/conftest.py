"""Applications for the API's tests: the real one, with whatever a test overrides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from app.config import Settings
from app.factory import build

MakeApp = Callable[..., Flask]


@pytest.fixture
def make_app() -> MakeApp:
    """Make applications with the given settings."""

    def make(**settings: Any) -> Flask:
        return build(Settings(_env_file=None, **settings))

    return make
