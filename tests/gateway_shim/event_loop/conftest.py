"""The native threads that the tests of this folder use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gevent.threadpool import ThreadPool


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    """Start native threads, and stop them after the test."""
    made = ThreadPool(4)
    yield made
    made.kill()
