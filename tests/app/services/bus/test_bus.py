"""Tests of the connection to Redis, as the application sees it."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from app.config import Settings
from app.services.bus import bus as module
from app.services.bus.bus import NoBus, RedisBus, make_bus
from gateway_shim.errors import InvalidConfiguration
from gateway_shim.event_log.brokers.presence import BusState
from gateway_shim.event_log.limits import LogLimits


class FakeLog:
    """A log whose state a test sets."""

    def __init__(self, **state: Any) -> None:
        good: dict[str, Any] = {"is_connected": True, "since": 1.0, "problem": None, "lag": 0}
        self.state = BusState(**good | state)

    def read_state(self) -> BusState:
        """Return the state."""
        return self.state


def bus_of(**settings: Any) -> RedisBus:
    """Return the connection of a server with these settings."""
    made = make_bus(Settings(_env_file=None, sse_bus_url="redis://me:pw@h:1/2", **settings))
    assert isinstance(made, RedisBus)
    return made


def test_no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server without SSE_BUS_URL has its own log, and is always ready."""
    opened: list[Any] = []
    monkeypatch.setattr(module, "open_log", lambda *arguments: opened.append(arguments))
    bus = make_bus(Settings(_env_file=None))
    assert isinstance(bus, NoBus)
    bus.open_log(LogLimits(), "named")
    assert opened == [(LogLimits(), "named")]
    assert (bus.problem(), bus.read_state()) == (None, None)


def test_the_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is opened with the settings."""
    opened: list[Any] = []

    def open_bus_log(*arguments: Any) -> FakeLog:
        opened.append(arguments)
        return FakeLog()

    monkeypatch.setattr(module, "open_bus_log", open_bus_log)
    limits = LogLimits(1024 * 1024)
    bus_of(sse_bus_prefix="staging", sse_bus_timeout_seconds=2, sse_replay_bytes=1 << 20).open_log(
        limits, "named"
    )
    ((given, signature, options),) = opened
    assert (given, signature) == (limits, "named")
    assert (options.url.password, options.url.db, options.prefix) == ("pw", 2, "staging")
    assert (options.append_seconds, options.size) == (2, 1 << 20)


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({}, None),
        ({"is_connected": False, "problem": "no"}, "Redis does not answer, or refuses this server"),
        ({"problem": "OOM"}, "Redis refuses events, or they cannot be copied from it"),
        (
            {"lag": 1, "is_stalled": True},
            "Redis refuses events, or they cannot be copied from it",
        ),
        ({"lag": 3}, None),
        ({"lag": 1001}, "This server does not have all events of Redis yet"),
        ({"lag": None}, "This server does not have all events of Redis yet"),
    ],
)
def test_the_readiness(
    state: dict[str, Any], problem: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server is ready if events can be published, and those of others arrive."""
    monkeypatch.setattr(module, "open_bus_log", lambda *_: FakeLog(**state))
    bus = bus_of()
    assert bus.problem() == "The log of events is not open yet"
    bus.open_log(LogLimits(), "named")
    assert bus.problem() == problem


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says how to install the extra."""
    real = builtins.__import__

    def fail(name: str, *arguments: Any) -> Any:
        if name.startswith("gateway_shim.event_log.brokers.redis_log"):
            raise ModuleNotFoundError(name="redis")
        return real(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", fail)
    with pytest.raises(InvalidConfiguration, match=r"sse-monolith\[redis\]"):
        bus_of()
