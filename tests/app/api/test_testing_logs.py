"""The log stream of the testing API."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from flask import Flask

from app.services.log_broadcast import CAPACITY
from tests.app.conftest import MakeApp
from tests.support.timing import TIME_LIMIT

LOGS = "/api/testing/logs/stream"

logger = logging.getLogger("app.somewhere")


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """Return an application in testing mode whose shutdown does not wait."""
    return make_app(flask_env="testing", log_format="json", graceful_shutdown_timeout=0)


HEARTBEAT = b": heartbeat\n\n"


def event(piece: bytes) -> tuple[str, Any]:
    """Return an event's name and its parsed data."""
    name, data, *rest = piece.decode().split("\n")
    assert rest == ["", ""]
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


@pytest.fixture
def stream(app: Flask) -> Iterator[Any]:
    """Return the response of an open log stream, whose body is read piece by piece."""
    response = app.test_client().get(LOGS, buffered=False)
    yield response
    response.close()


def test_the_headers_of_a_log_stream(stream: Any) -> None:
    """A log stream is neither cached nor buffered."""
    assert (stream.status_code, stream.mimetype) == (200, "text/event-stream")
    assert (stream.headers["Cache-Control"], stream.headers["X-Accel-Buffering"]) == (
        "no-cache",
        "no",
    )


def test_lines_arrive_as_events(stream: Any) -> None:
    """The stream begins with a comment; each log line is then an event."""
    pieces = iter(stream.response)
    assert next(pieces) == HEARTBEAT
    logger.warning("one", extra={"request_id": "me"})
    logger.warning("two\nlines")
    (first, line), (second, other) = event(next(pieces)), event(next(pieces))
    assert (first, second) == ("log", "log")
    assert (line["message"], line["level"], line["logger"], line["request_id"]) == (
        "one",
        "WARNING",
        "app.somewhere",
        "me",
    )
    assert other["message"] == "two\nlines"


def test_a_quiet_stream_has_heartbeats(make_app: MakeApp) -> None:
    """A stream without lines gets a comment at each interval, which detects lost clients."""
    app = make_app(flask_env="testing", heartbeat_interval_seconds=1)
    waited: list[float] = []

    class Quiet:
        dropped = 0

        def take(self, timeout: float) -> None:
            waited.append(timeout)

        def close(self) -> None:
            pass

    class Broadcaster:
        def subscribe(self) -> Quiet:
            return Quiet()

    app.extensions["container"].log_broadcaster.override(Broadcaster())
    response = app.test_client().get(LOGS, buffered=False)
    pieces = iter(response.response)
    assert [next(pieces), next(pieces), next(pieces)] == [HEARTBEAT] * 3
    assert waited == [1, 1]
    response.close()


def test_a_reader_that_is_too_slow_is_told(stream: Any) -> None:
    """A reader that is too slow is told once how many lines were dropped."""
    pieces = iter(stream.response)
    next(pieces)
    for number in range(CAPACITY + 2):
        logger.warning("%d", number)
    assert event(next(pieces)) == ("dropped", {"lines": 2})
    messages = [event(next(pieces))[1]["message"] for _ in range(2)]
    assert messages == ["2", "3"]


def test_shutdown_ends_the_stream(
    app: Flask, stream: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The stream gets the last lines and connection_close, and ends cleanly."""
    caplog.set_level(logging.INFO)
    pieces = iter(stream.response)
    next(pieces)
    reader = gevent.spawn(list, pieces)
    gevent.sleep(0)
    app.extensions["container"].shutdown_coordinator().shutdown()
    *lines, last = map(event, reader.get(timeout=TIME_LIMIT))
    assert {name for name, _ in lines} == {"log"}
    assert lines[0][1]["message"] == "shutdown begins"
    assert last == ("connection_close", {"reason": "server_shutdown"})


@pytest.mark.parametrize("read", [0, 1])
@pytest.mark.parametrize("method", ["get", "head"])
def test_a_client_that_leaves_is_unsubscribed(app: Flask, method: str, read: int) -> None:
    """A client that leaves early, or asks for the headers only, is unsubscribed too."""
    broadcaster = app.extensions["container"].log_broadcaster()
    response = getattr(app.test_client(), method)(LOGS, buffered=False)
    pieces = iter(response.response)
    for _ in range(read):
        next(pieces, None)
    response.close()
    assert broadcaster.subscribers == 0
