"""What the worker needs of the backend."""

from __future__ import annotations

from typing import Any

import pytest

from app.lifecycle import ShutdownCoordinator
from app.serving.monolith import DRAIN_SECONDS, FAREWELL, STREAM_PATH, Monolith
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.routes import Route
from gateway_shim.server.runtime import Runtime


class Calls:
    """Stands for gateway and loop monitor: remembers what is called."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def start(self) -> None:
        """Start."""
        self.calls.append(("start",))

    def drain(self, farewell: Event, seconds: float) -> None:
        """Drain."""
        self.calls.append(("drain", farewell, seconds))


def monolith_of(
    gateway: Any, coordinator: ShutdownCoordinator | None = None, *, serves_streams: bool = True
) -> Monolith:
    """The runtime under test."""
    return Monolith(
        gateway,
        gateway.drain,
        coordinator or ShutdownCoordinator(0),
        gateway,
        serves_streams=serves_streams,
    )


@pytest.mark.parametrize(
    ("method", "target", "route"),
    [
        ("GET", STREAM_PATH, Route.STREAM),
        ("GET", STREAM_PATH + "?request_id=me", Route.STREAM),
        ("GET", "http://host" + STREAM_PATH + "?request_id=me", Route.STREAM),
        ("HEAD", STREAM_PATH + "?request_id=me", Route.STREAM_HEAD),
        ("OPTIONS", STREAM_PATH, Route.OPTIONS),
        ("POST", STREAM_PATH, Route.NOT_FOUND),
        ("GET", STREAM_PATH + "/", Route.NOT_FOUND),
        ("GET", STREAM_PATH + "s", Route.NOT_FOUND),
        ("GET", "/", Route.NOT_FOUND),
        ("GET", "/healthz", Route.NOT_FOUND),
        ("GET", "/readyz", Route.NOT_FOUND),
        ("POST", "/internal/send", Route.NOT_FOUND),
        ("GET", "/?" + STREAM_PATH, Route.NOT_FOUND),
    ],
)
def test_routes(method: str, target: str, route: Route) -> None:
    """The one stream's path is the gateway's; everything else is Flask's."""
    assert monolith_of(Calls()).route(method, target) is route


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_routes_without_streams(method: str) -> None:
    """With a gateway elsewhere all is Flask's, which says where the streams are."""
    assert monolith_of(Calls(), serves_streams=False).route(method, STREAM_PATH) is Route.NOT_FOUND


def test_start() -> None:
    """Starts the gateway and the loop monitor."""
    both = Calls()
    monolith_of(both).start()
    assert both.calls == [("start",), ("start",)]


def test_shutdown_drains_with_a_farewell() -> None:
    """Every stream is told ``server_restart``; nothing is drained before SHUTDOWN."""
    gateway, coordinator = Calls(), ShutdownCoordinator(5)
    runtime: Runtime = monolith_of(gateway, coordinator)
    seen: list[int] = []

    def waiter(seconds: float) -> bool:
        seen.append(len(gateway.calls))
        return True

    coordinator.register_shutdown_waiter("tasks", waiter)
    runtime.shutdown()
    assert (seen, gateway.calls) == ([0], [("drain", FAREWELL, DRAIN_SECONDS)])


def test_the_farewell_is_not_for_good() -> None:
    """Existing pages close on ``connection_close`` and do not come back."""
    assert Event("server_restart", '{"reason":"server_shutdown"}') == FAREWELL


def test_hurry() -> None:
    """A second signal cuts the waiting for tasks short."""
    gateway, coordinator = Calls(), ShutdownCoordinator(60)
    runtime = monolith_of(gateway, coordinator)
    left: list[float] = []
    coordinator.register_shutdown_waiter("tasks", lambda seconds: left.append(seconds) or True)  # type: ignore[func-returns-value]
    runtime.hurry()
    runtime.shutdown()
    assert left == [0.0]
    assert [call[0] for call in gateway.calls] == ["drain"]
