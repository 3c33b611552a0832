"""Fixtures of the tests of tasks on several servers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.tasks.memory import takeover
from app.tasks.servers import lost
from tests.app.tasks.servers.server_support import Servers
from tests.support.timing import TIME_LIMIT


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    """Make servers, in which nothing happens by itself."""
    monkeypatch.setattr(takeover, "LOOK_SECONDS", 10 * TIME_LIMIT)
    monkeypatch.setattr(lost, "LOOK_SECONDS", 10 * TIME_LIMIT)
    made = Servers(tmp_path)
    yield made
    made.end()
