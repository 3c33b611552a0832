"""``/api/testing``."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any

import gevent
import pytest
from flask import Flask

from app.schemas.task_schema import TaskEvent, TaskEventType
from app.services.log_broadcast import CAPACITY
from app.services.version_service import Announcement
from tests.app.api.conftest import MakeApp
from tests.support.timing import TIME_LIMIT

VERSION = "/api/testing/deployments/version"
TASK = "/api/testing/tasks/start"
LOGS = "/api/testing/logs/stream"
EVENT = "/api/testing/sse/task-event"

logger = logging.getLogger("app.somewhere")


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """An application in testing mode that waits for nothing when it ends."""
    return make_app(flask_env="testing", log_format="json", graceful_shutdown_timeout=0)


@pytest.mark.parametrize("flask_env", ["development", "production"])
def test_outside_testing_there_is_nothing(make_app: MakeApp, flask_env: str) -> None:
    """Each of them answers 404 as JSON, whatever is sent."""
    client = make_app(flask_env=flask_env).test_client()
    answers = [
        client.post(VERSION, json={"request_id": "me", "version": "2"}),
        client.post(VERSION),
        client.post(TASK, json={"task_type": "demo_task"}),
        client.post(EVENT, json={"request_id": "me"}),
        client.get(LOGS),
        client.get(TASK),
        client.delete("/api/testing/no/such/thing"),
    ]
    error = "The testing API exists only with FLASK_ENV=testing"
    assert [(answer.status_code, answer.json) for answer in answers] == [
        (404, {"error": error})
    ] * 7


# ------------------------------------------------------------------ versions


class Versions:
    """Stands for the VersionService."""

    def __init__(self, outcome: Announcement) -> None:
        self.outcome = outcome
        self.queued: list[tuple[str, str, str | None]] = []

    def announce(self, request_id: str, version: str, changelog: str | None = None) -> Announcement:
        """Remember a version."""
        self.queued.append((request_id, version, changelog))
        return self.outcome


@pytest.mark.parametrize("changelog", [{}, {"changelog": "new"}])
@pytest.mark.parametrize("delivered", [True, False])
def test_announces_a_version(app: Flask, changelog: dict[str, str], delivered: bool) -> None:
    """The answer says whether the request id's stream has got it, or will when it connects."""
    status = "delivered" if delivered else "queued"
    versions = Versions(Announcement(status))
    app.extensions["container"].version_service.override(versions)
    body = {"request_id": "me", "version": "2", **changelog}
    answer = app.test_client().post(VERSION, json=body)
    assert (answer.status_code, answer.json) == (
        202,
        {"request_id": "me", "delivered": delivered, "status": status},
    )
    assert versions.queued == [("me", "2", changelog.get("changelog"))]


def test_no_version_during_shutdown(app: Flask) -> None:
    """The refusal is an error, not a lie."""
    app.extensions["container"].version_service.override(Versions(Announcement.REFUSED))
    answer = app.test_client().post(VERSION, json={"request_id": "me", "version": "2"})
    assert (answer.status_code, answer.json) == (
        409,
        {"error": "The server is shutting down; no version is announced"},
    )


@pytest.mark.parametrize(
    ("path", "body", "error", "loc"),
    [
        (
            VERSION,
            {"version": "2"},
            "Invalid payload; expected an object with request_id, version, changelog (optional)",
            ["request_id"],
        ),
        (
            TASK,
            {"task_type": "digest_tree"},
            "Invalid payload; expected an object with task_type (optional), params (optional)",
            ["task_type"],
        ),
        (
            TASK,
            [],
            "Invalid payload; expected an object with task_type (optional), params (optional)",
            [],
        ),
    ],
)
def test_bad_payloads(app: Flask, path: str, body: object, error: str, loc: list[str]) -> None:
    """The message says what is allowed, the details what was wrong."""
    answer = app.test_client().post(path, json=body)
    said: Any = answer.json
    assert (answer.status_code, said["error"]) == (400, error)
    assert [detail["loc"] for detail in said["details"]] == [loc]


@pytest.mark.parametrize("path", [VERSION, TASK, EVENT])
@pytest.mark.parametrize(("body", "error"), [(b"", "Missing JSON body"), (b"{", "Invalid JSON")])
def test_no_json(app: Flask, path: str, body: bytes, error: str) -> None:
    """As everywhere."""
    answer = app.test_client().post(path, data=body, content_type="application/json")
    assert (answer.status_code, answer.json) == (400, {"error": error})


# ------------------------------------------------------------------ tasks


@pytest.mark.parametrize(
    ("task_type", "status"), [("demo_task", "completed"), ("failing_task", "failed")]
)
def test_starts_a_task(app: Flask, task_type: str, status: str) -> None:
    """The answer is 200 with the id; the task really runs."""
    answer = app.test_client().post(
        TASK, json={"task_type": task_type, "params": {"steps": 2, "delay": 0}}
    )
    said: Any = answer.json
    assert (answer.status_code, list(said)) == (200, ["task_id", "status"])
    service = app.extensions["container"].task_service()
    assert service.wait_for_tasks(5)
    assert service.get_task_status(said["task_id"]).status == status


def test_an_empty_object_starts_the_demonstration(app: Flask) -> None:
    """The frontend's tests do not care which task runs."""
    answer = app.test_client().post(TASK, json={})
    said: Any = answer.json
    assert (answer.status_code, list(said)) == (200, ["task_id", "status"])
    service = app.extensions["container"].task_service()
    assert service.get_task_status(said["task_id"]).task_type == "demo_task"
    service.cancel_task(said["task_id"])


def test_bad_params_of_a_task(app: Flask) -> None:
    """The task's own check answers."""
    answer = app.test_client().post(TASK, json={"task_type": "demo_task", "params": {"x": 1}})
    assert (answer.status_code, "error" in (answer.json or {})) == (400, True)


# ------------------------------------------------------------------ task events


class Sends:
    """Stands for a ConnectionManager of which only some request ids have a stream."""

    def __init__(self) -> None:
        self.connected = {"me"}
        self.takes = True
        self.sent: list[tuple[Any, ...]] = []

    def has_connection(self, request_id: str) -> bool:
        """Say what the test set."""
        return request_id in self.connected

    def send_event(self, request_id: str, *event: Any) -> bool:
        """Remember an event, if there is a stream for it."""
        self.sent.append((request_id, *event))
        return self.takes and request_id in self.connected


@pytest.fixture
def sends(app: Flask) -> Sends:
    """What the application sends with."""
    made = Sends()
    app.extensions["container"].connection_manager.override(made)
    return made


def task_event(**changes: object) -> dict[str, object]:
    """The body of a request for an event."""
    return {"request_id": "me", "task_id": "t1", "event_type": "progress_update", **changes}


@pytest.mark.parametrize("event_type", list(TaskEventType))
def test_sends_a_task_event_to_one_stream(app: Flask, sends: Sends, event_type: str) -> None:
    """In exactly the shape in which a task's own events are broadcast."""
    body = task_event(event_type=event_type, data={"text": "half", "value": 0.5})
    answer = app.test_client().post(EVENT, json=body)
    said = {"request_id": "me", "task_id": "t1", "event_type": event_type, "delivered": True}
    assert (answer.status_code, answer.json) == (200, said)
    ((request_id, payload, name, service_type),) = sends.sent
    assert (request_id, name, service_type) == ("me", "task_event", "task")
    assert list(payload) == ["event_type", "task_id", "timestamp", "data"]
    assert TaskEvent.model_validate(payload).timestamp.tzinfo is not None
    del payload["timestamp"]
    assert payload == {"event_type": event_type, "task_id": "t1", "data": body["data"]}


def test_an_event_without_data(app: Flask, sends: Sends) -> None:
    """It has an empty object, as ``task_cancelled`` has."""
    assert app.test_client().post(EVENT, json=task_event()).status_code == 200
    assert sends.sent[0][1]["data"] == {}


def test_an_event_for_a_request_id_without_a_stream(app: Flask, sends: Sends) -> None:
    """The test that asked has a mistake, and is told which."""
    answer = app.test_client().post(EVENT, json=task_event(request_id="you"))
    said: Any = answer.json
    assert answer.status_code == 400
    assert said["error"].startswith("No stream is connected with request_id you; open GET /api/sse")


def test_an_event_that_the_gateway_does_not_take(app: Flask, sends: Sends) -> None:
    """The stream is there, so the request was right; it is not said to be delivered."""
    sends.takes = False
    answer = app.test_client().post(EVENT, json=task_event())
    assert (answer.status_code, answer.json) == (
        503,
        {"error": "The gateway did not take the event; the log says why"},
    )


@pytest.mark.parametrize("event_type", ["task_begun", "", None, 5])
def test_an_event_type_that_is_none(app: Flask, sends: Sends, event_type: object) -> None:
    """The message names those that there are, and nothing is sent."""
    answer = app.test_client().post(EVENT, json=task_event(event_type=event_type))
    said: Any = answer.json
    assert (answer.status_code, said["error"]) == (
        400,
        "Invalid payload; expected an object with request_id, task_id, event_type (one of"
        " task_started, progress_update, task_completed, task_failed, task_cancelled),"
        " data (optional)",
    )
    assert [detail["loc"] for detail in said["details"]] == [["event_type"]]
    assert sends.sent == []


# ------------------------------------------------------------------ logs


HEARTBEAT = b": heartbeat\n\n"


def event(piece: bytes) -> tuple[str, Any]:
    """One event's name and parsed data."""
    name, data, *rest = piece.decode().split("\n")
    assert rest == ["", ""]
    return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


@pytest.fixture
def stream(app: Flask) -> Iterator[Any]:
    """An open log stream: the response, whose body is read piece by piece."""
    response = app.test_client().get(LOGS, buffered=False)
    yield response
    response.close()


def test_the_headers_of_a_log_stream(stream: Any) -> None:
    """An event stream that nobody caches or buffers."""
    assert (stream.status_code, stream.mimetype) == (200, "text/event-stream")
    assert (stream.headers["Cache-Control"], stream.headers["X-Accel-Buffering"]) == (
        "no-cache",
        "no",
    )


def test_lines_arrive_as_events(stream: Any) -> None:
    """First a comment, so that the client knows that it listens; then each line, rendered."""
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
    """A comment at the interval, so that a client that is gone is noticed."""
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
    """Dropped lines are counted, once."""
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
    """The last lines, then connection_close, then a clean end."""
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
def test_who_leaves_is_unsubscribed(app: Flask, method: str, read: int) -> None:
    """Also a client that left before the first byte, or asked for the headers only."""
    broadcaster = app.extensions["container"].log_broadcaster()
    response = getattr(app.test_client(), method)(LOGS, buffered=False)
    pieces = iter(response.response)
    for _ in range(read):
        next(pieces, None)
    response.close()
    assert broadcaster.subscribers == 0
