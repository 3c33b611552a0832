"""Fixtures for tests of logs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.segments.segment_log import SegmentLog


@pytest.fixture
def open_log(tmp_path: Path) -> Iterator[Callable[..., SegmentLog]]:
    """Return a function that opens the log of a directory as another process would."""
    opened: list[SegmentLog] = []

    def open_log(size: int = 8000, signature: str = "s") -> SegmentLog:
        opened.append(SegmentLog(tmp_path / "log", LogLimits(size), signature=signature))
        return opened[-1]

    yield open_log
    for log in opened:
        log.close()
