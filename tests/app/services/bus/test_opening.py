"""Tests of the choice of the log."""

from __future__ import annotations

from typing import Any

import pytest

from app.config import Settings
from app.services.bus.bus import make_bus
from app.services.bus.opening import log_opener
from gateway_shim.event_log.limits import LogLimits


def opener_of(**settings: Any) -> Any:
    """Return the function that opens the log of a server with these settings."""
    made = Settings(_env_file=None, **settings)
    return log_opener(made, make_bus(made))


def test_one_server() -> None:
    """The log of a server without Redis has the limits of the settings."""
    opener = opener_of(sse_replay_bytes=1 << 20, sse_replay_seconds=60, sse_dialect="envelope")
    assert opener.func.__qualname__ == "NoBus.open_log"
    assert opener.args == (LogLimits(1 << 20, 60.0), "envelope")


def test_many_servers() -> None:
    """With Redis, the log is the one of Redis, and never one in memory."""
    opener = opener_of(sse_bus_url="redis://h", sse_replay_bytes=1 << 20)
    assert opener.func.__qualname__ == "RedisBus.open_log"
    assert opener.args == (LogLimits(1 << 20, None), "named")


@pytest.mark.parametrize("settings", [{"sse_replay": "off"}, {"sse_gateway_url": "http://h"}])
def test_no_log(settings: dict[str, str]) -> None:
    """There is no log where no events are kept."""
    assert opener_of(**settings) is None
