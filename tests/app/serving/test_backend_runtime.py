"""Tests of the backend's runtime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from app.lifecycle import ShutdownCoordinator
from app.serving.backend_runtime import STREAM_PATH, BackendRuntime
from app.serving.drain import DRAIN_SECONDS, FAREWELL
from gateway_shim.event_log.places.place import LogPlace, set_place
from gateway_shim.protocol.event_stream import Event
from gateway_shim.protocol.routes import Route
from gateway_shim.server.runtime import Runtime


class RecordedCalls:
    """A stand-in for the gateway and the other parts that records its calls."""

    def __init__(self, *, replays: bool = True) -> None:
        self.replays = replays
        self.calls: list[tuple[Any, ...]] = []

    def start(self) -> None:
        """Record the call."""
        self.calls.append(("start",))

    def drain(self, farewell: Event, seconds: float) -> None:
        """Record the call."""
        self.calls.append(("drain", farewell, seconds))

    def close(self) -> None:
        """Record the call."""
        self.calls.append(("close",))


def runtime_of(
    gateway: Any, coordinator: ShutdownCoordinator | None = None, *, serves_streams: bool = True
) -> BackendRuntime:
    """Make the runtime under test."""
    return BackendRuntime(
        gateway,
        gateway.drain,
        coordinator or ShutdownCoordinator(0),
        gateway,
        gateway,
        gateway,
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
    """Only the path of the streams goes to the gateway; everything else goes to Flask."""
    assert runtime_of(RecordedCalls()).route(method, target) is route


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_routes_without_streams(method: str) -> None:
    """With a remote gateway all requests go to Flask, which says where the streams are."""
    assert (
        runtime_of(RecordedCalls(), serves_streams=False).route(method, STREAM_PATH)
        is Route.NOT_FOUND
    )


def test_start() -> None:
    """The runtime starts the gateway, the metrics, the memory, the loop monitor and the sampler."""
    calls = RecordedCalls()
    runtime_of(calls).start()
    assert calls.calls == [("start",)] * 5


@pytest.mark.parametrize("replays", [True, False])
def test_gap_in_the_log(tmp_path: Path, *, replays: bool) -> None:
    """A process that sends events without a log leaves a note for the next one that has a log."""
    place = LogPlace(tmp_path, survives_restart=True)
    place.log_directory.mkdir()
    set_place(place)
    try:
        runtime_of(RecordedCalls(replays=replays)).start()
    finally:
        set_place(None)
    assert bool(list(tmp_path.glob("log/gap"))) is not replays


def test_shutdown_drains_with_a_farewell() -> None:
    """The streams are drained with the farewell, after the tasks have ended; the memory is last."""
    gateway, coordinator = RecordedCalls(), ShutdownCoordinator(5)
    runtime: Runtime = runtime_of(gateway, coordinator)
    seen: list[int] = []

    def waiter(seconds: float) -> bool:
        seen.append(len(gateway.calls))
        return True

    coordinator.register_shutdown_waiter("tasks", waiter)
    runtime.shutdown()
    assert (seen, gateway.calls) == (
        [0],
        [("drain", FAREWELL, DRAIN_SECONDS), ("close",), ("close",)],
    )


def test_stop_waiting() -> None:
    """The shutdown leaves tasks no time once its wait was ended."""
    gateway, coordinator = RecordedCalls(), ShutdownCoordinator(60)
    runtime = runtime_of(gateway, coordinator)
    left: list[float] = []
    coordinator.register_shutdown_waiter("tasks", lambda seconds: left.append(seconds) or True)  # type: ignore[func-returns-value]
    runtime.stop_waiting()
    runtime.shutdown()
    assert left == [0.0]
    assert [call[0] for call in gateway.calls] == ["drain", "close", "close"]
