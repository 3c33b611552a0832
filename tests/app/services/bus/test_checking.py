"""Tests of what ``check`` says of Redis."""

from __future__ import annotations

import pytest

from app.config import InvalidSettings, Settings
from app.services.bus.checking import look_at_bus
from gateway_shim.event_log.brokers.redis import inspection
from gateway_shim.event_log.brokers.redis.inspection import Finding, Severity

SETTINGS = Settings(_env_file=None, sse_bus_url="redis://me:hunter2@h", sse_bus_prefix="staging")


def test_no_redis() -> None:
    """Without SSE_BUS_URL there is nothing to say."""
    assert look_at_bus(Settings(_env_file=None)) == []


def test_warnings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that can lose events is a warning, as is a Redis that is away."""
    found = [
        Finding(Severity.AWAY, "no answer.", "start Redis"),
        Finding(Severity.WARNING, "appendonly is off", "set it"),
        Finding(Severity.NOTE, "may not look", "allow it"),
    ]
    asked = []
    monkeypatch.setattr(inspection, "inspect", lambda *given: asked.append(given) or found)
    assert look_at_bus(SETTINGS) == [
        "SSE_BUS_URL: no answer; start Redis (the server starts, and waits until Redis can be"
        " used)",
        "SSE_BUS_URL: appendonly is off; set it (events can be lost; all browsers are then told to"
        " load their state again)",
        "SSE_BUS_URL: may not look; allow it",
    ]
    assert asked == [(SETTINGS.bus, "staging")]


def test_a_redis_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Redis that can never be used stops the check."""
    found = [Finding(Severity.ERROR, "Redis 5.0 is too old", "use another one")]
    monkeypatch.setattr(inspection, "inspect", lambda *_: found)
    with pytest.raises(InvalidSettings, match=r"^SSE_BUS_URL: Redis 5\.0 is too old; use another"):
        look_at_bus(SETTINGS)


def test_nobody_listens() -> None:
    """A real look at a server that is away takes no long time, and shows no password."""
    (warning,) = look_at_bus(Settings(_env_file=None, sse_bus_url="redis://me:hunter2@127.0.0.1:1"))
    assert warning.startswith("SSE_BUS_URL: Redis at redis://127.0.0.1:1/0 gives no answer: ")
    assert "hunter2" not in warning
