"""Applications for the API's tests: the real one, with whatever a test overrides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from flask import Flask

from app.config import Settings
from app.errors import InvalidOperationException
from app.factory import build
from tests.support.timing import TIME_LIMIT

MakeApp = Callable[..., Flask]


@pytest.fixture
def make_app() -> Iterator[MakeApp]:
    """Make applications with the given settings; their tasks end with the test."""
    made: list[Flask] = []

    def make(**settings: Any) -> Flask:
        made.append(build(Settings(_env_file=None, **settings)))
        return made[-1]

    yield make
    for app in made:
        tasks = app.extensions["container"].task_service()
        for task in tasks.list_tasks().tasks:
            with suppress(InvalidOperationException):  # it is over
                tasks.cancel_task(task.task_id)
        assert tasks.wait_for_tasks(TIME_LIMIT)
