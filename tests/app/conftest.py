"""Fixtures for all tests of the backend."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask

from app.config import Settings
from app.errors import InvalidOperationException
from app.factory import build
from tests.support.timing import TIME_LIMIT

__all__ = ["MakeApp", "log_set_up", "make_app"]

MakeApp = Callable[..., Flask]
"""Takes settings by name, returns an application with them."""


@pytest.fixture
def make_app() -> Iterator[MakeApp]:
    """Return a function that makes applications; their tasks end with the test."""
    made: list[Flask] = []

    def make(**settings: Any) -> Flask:
        made.append(build(Settings(_env_file=None, **settings)))
        return made[-1]

    yield make
    for app in made:
        tasks = app.extensions["container"].task_service()
        for task in tasks.list_tasks().tasks:
            with suppress(InvalidOperationException):  # the task has ended
                tasks.cancel_task(task.task_id)
        assert tasks.wait_for_tasks(TIME_LIMIT)


@pytest.fixture
def log_set_up() -> Iterator[None]:
    """Restore the configuration of the process's log after a test that changes it."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
