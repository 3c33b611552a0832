"""Fixtures for all tests of the backend."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.app.api.conftest import make_app

__all__ = ["log_set_up", "make_app"]


@pytest.fixture
def log_set_up() -> Iterator[None]:
    """Let a test set up the process's log; afterwards it is as it was."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
