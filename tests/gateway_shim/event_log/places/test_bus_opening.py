"""Tests of the opening of a log whose order comes from Redis."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_shim.errors import InvalidConfiguration, LogUnavailable
from gateway_shim.event_log.audience import EVERYONE
from gateway_shim.event_log.brokers.redis_log import BusOptions
from gateway_shim.event_log.limits import LogLimits
from gateway_shim.event_log.places import bus_opening
from gateway_shim.event_log.places.bus_opening import bus_options, open_bus_log
from gateway_shim.event_log.places.place import LogPlace, set_place
from tests.support.processes.redis_server import RedisServer
from tests.support.timing import TIME_LIMIT

LIMITS = LogLimits(1024 * 1024)


@pytest.fixture(name="place")
def fixture_place(tmp_path: Path) -> Iterator[LogPlace]:
    """Set a place in a folder that does not exist yet."""
    place = LogPlace(tmp_path / "place", survives_restart=False, workers=2)
    set_place(place)
    yield place
    set_place(None)


def options(url: str, prefix: str = "test", seconds: float = 0.1) -> BusOptions:
    """Return options."""
    return bus_options(url, prefix, append_seconds=seconds, entries=1000, size=1_000_000)


@pytest.mark.needs("redis")
def test_the_log_is_in_the_place_of_the_server(place: LogPlace) -> None:
    """It is current when it opens."""
    with RedisServer() as server:
        log = open_bus_log(LIMITS, "named", options(server.url, seconds=TIME_LIMIT))
        assert log.append(EVERYONE, b"data: 1\n\n") == 1
        assert log.read_state().problem is None
        assert place.log_directory.is_dir()
        assert not log.read_stats().in_memory
        log.close()


def test_no_arbiter_has_made_a_place(place: LogPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was started without one makes a place for itself, or says what is missing."""
    set_place(None)
    monkeypatch.setattr(bus_opening, "CURRENT_SECONDS", 0.05)
    monkeypatch.setattr(bus_opening, "make_place", lambda *_: place)
    open_bus_log(LIMITS, "named", options("unix:///nothing")).close()
    assert place.log_directory.is_dir()
    monkeypatch.setattr(bus_opening, "make_place", lambda *_: None)
    with pytest.raises(LogUnavailable, match="no folder can hold"):
        open_bus_log(LIMITS, "named", options("unix:///nothing"))


def test_redis_is_away(
    place: LogPlace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log opens, is not ready, and takes no events."""
    monkeypatch.setattr(bus_opening, "CURRENT_SECONDS", 0.05)
    log = open_bus_log(LIMITS, "named", options(f"unix://{place.directory}/nothing"))
    assert (
        "this server does not have all events of Redis yet, so it is not ready" in caplog.messages
    )
    assert not log.read_state().is_ready
    with pytest.raises(LogUnavailable, match="gives no answer"):
        log.append(EVERYONE, b"data: 1\n\n")
    log.close()


def test_a_place_that_cannot_be_used(place: LogPlace) -> None:
    """There is no log in memory instead: no other process could share it."""
    place.directory.touch()
    with pytest.raises(LogUnavailable, match="cannot use"):
        open_bus_log(LIMITS, "named", options("unix:///nothing"))


def test_options_that_cannot_be_used() -> None:
    """They are refused before anything is connected."""
    with pytest.raises(InvalidConfiguration, match="prefix"):
        options("redis://cache", "a b")
    with pytest.raises(InvalidConfiguration, match="URL of Redis"):
        options("cache")


def test_the_package_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how to install it."""
    for name in [name for name in sys.modules if "event_log.brokers" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(InvalidConfiguration, match=r"pip install 'sse-monolith\[redis\]'"):
        options("redis://cache")
