"""The testing API, ``/api/testing``."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from flask import Flask

from app.schemas.task_schema import TaskEvent, TaskEventType
from app.services.version_service import Announcement
from tests.app.conftest import MakeApp

VERSION = "/api/testing/deployments/version"
TASK = "/api/testing/tasks/start"
LOGS = "/api/testing/logs/stream"
EVENT = "/api/testing/sse/task-event"

logger = logging.getLogger("app.somewhere")


@pytest.fixture
def app(make_app: MakeApp) -> Flask:
    """Return an application in testing mode whose shutdown does not wait."""
    return make_app(flask_env="testing", log_format="json", graceful_shutdown_timeout=0)


@pytest.mark.parametrize("flask_env", ["development", "production"])
def test_outside_testing_the_api_does_not_exist(make_app: MakeApp, flask_env: str) -> None:
    """Outside testing, every request is answered with 404 and how to enable the API."""
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


class RecordingVersionService:
    """A version service that records announcements."""

    def __init__(self, outcome: Announcement) -> None:
        self.outcome = outcome
        self.queued: list[tuple[str, str, str | None]] = []

    def announce(self, request_id: str, version: str, changelog: str | None = None) -> Announcement:
        """Record a version."""
        self.queued.append((request_id, version, changelog))
        return self.outcome


@pytest.mark.parametrize("changelog", [{}, {"changelog": "new"}])
@pytest.mark.parametrize("delivered", [True, False])
def test_a_version_is_announced(app: Flask, changelog: dict[str, str], delivered: bool) -> None:
    """The answer says whether the stream has the version, or gets it with its next connect."""
    status = "delivered" if delivered else "queued"
    versions = RecordingVersionService(Announcement(status))
    app.extensions["container"].version_service.override(versions)
    body = {"request_id": "me", "version": "2", **changelog}
    answer = app.test_client().post(VERSION, json=body)
    assert (answer.status_code, answer.json) == (
        202,
        {"request_id": "me", "delivered": delivered, "status": status},
    )
    assert versions.queued == [("me", "2", changelog.get("changelog"))]


def test_no_version_during_shutdown(app: Flask) -> None:
    """During the shutdown, an announcement is refused with an error."""
    app.extensions["container"].version_service.override(
        RecordingVersionService(Announcement.REFUSED)
    )
    answer = app.test_client().post(VERSION, json={"request_id": "me", "version": "2"})
    assert (answer.status_code, answer.json) == (
        409,
        {"error": "The server is shutting down; no version is announced"},
    )


def test_a_version_that_the_log_did_not_take(app: Flask) -> None:
    """No browser gets the version, so it is no success."""
    app.extensions["container"].version_service.override(RecordingVersionService(Announcement.LOST))
    answer = app.test_client().post(VERSION, json={"request_id": "me", "version": "2"})
    assert (answer.status_code, answer.json) == (
        503,
        {"error": "The version was not published: the event log did not take it"},
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
    """The message says what is expected, and the details say what was wrong."""
    answer = app.test_client().post(path, json=body)
    said: Any = answer.json
    assert (answer.status_code, said["error"]) == (400, error)
    assert [detail["loc"] for detail in said["details"]] == [loc]


@pytest.mark.parametrize("path", [VERSION, TASK, EVENT])
@pytest.mark.parametrize(("body", "error"), [(b"", "Missing JSON body"), (b"{", "Invalid JSON")])
def test_no_json(app: Flask, path: str, body: bytes, error: str) -> None:
    """A missing or invalid body is refused as everywhere in the API."""
    answer = app.test_client().post(path, data=body, content_type="application/json")
    assert (answer.status_code, answer.json) == (400, {"error": error})


@pytest.mark.parametrize(
    ("task_type", "status"), [("demo_task", "completed"), ("failing_task", "failed")]
)
def test_a_task_is_started(app: Flask, task_type: str, status: str) -> None:
    """The answer is 200 with the id, and the task runs."""
    answer = app.test_client().post(
        TASK, json={"task_type": task_type, "params": {"steps": 2, "delay": 0}}
    )
    said: Any = answer.json
    assert (answer.status_code, list(said)) == (200, ["task_id", "status"])
    service = app.extensions["container"].task_service()
    assert service.wait_for_tasks(5)
    assert service.get_task_status(said["task_id"]).status == status


def test_an_empty_object_starts_the_demo_task(app: Flask) -> None:
    """A body without a task type starts the demo task."""
    answer = app.test_client().post(TASK, json={})
    said: Any = answer.json
    assert (answer.status_code, list(said)) == (200, ["task_id", "status"])
    service = app.extensions["container"].task_service()
    assert service.get_task_status(said["task_id"]).task_type == "demo_task"
    service.cancel_task(said["task_id"])


def test_bad_params_of_a_task(app: Flask) -> None:
    """Bad parameters are refused by the task's own check."""
    answer = app.test_client().post(TASK, json={"task_type": "demo_task", "params": {"x": 1}})
    assert (answer.status_code, "error" in (answer.json or {})) == (400, True)


class RecordingConnections:
    """A connection manager that records events, and has streams for some request ids only."""

    def __init__(self) -> None:
        self.connected = {"me"}
        self.takes = True
        self.sent: list[tuple[Any, ...]] = []

    def has_connection(self, request_id: str) -> bool:
        """Return what the test has set."""
        return request_id in self.connected

    def send_event(self, request_id: str, *event: Any) -> bool:
        """Record an event if there is a stream for it."""
        self.sent.append((request_id, *event))
        return self.takes and request_id in self.connected


@pytest.fixture
def sends(app: Flask) -> RecordingConnections:
    """Return the fake connection manager of the application."""
    made = RecordingConnections()
    app.extensions["container"].connection_manager.override(made)
    return made


def task_event(**changes: object) -> dict[str, object]:
    """Return the body of a request for an event."""
    return {"request_id": "me", "task_id": "t1", "event_type": "progress_update", **changes}


@pytest.mark.parametrize("event_type", list(TaskEventType))
def test_a_task_event_is_sent_to_one_stream(
    app: Flask, sends: RecordingConnections, event_type: str
) -> None:
    """The event has exactly the form of the events of a task."""
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


def test_an_event_without_data(app: Flask, sends: RecordingConnections) -> None:
    """An event without data has an empty object, as ``task_cancelled`` has."""
    assert app.test_client().post(EVENT, json=task_event()).status_code == 200
    assert sends.sent[0][1]["data"] == {}


def test_an_event_for_a_request_id_without_a_stream(
    app: Flask, sends: RecordingConnections
) -> None:
    """A request id without a stream is an error of the caller, and the message says so."""
    answer = app.test_client().post(EVENT, json=task_event(request_id="you"))
    said: Any = answer.json
    assert answer.status_code == 400
    assert said["error"].startswith("No stream is connected with request_id you; open GET /api/sse")
    assert sends.sent == []  # a log would keep it, and replay it to a browser that connects later


def test_an_event_that_the_gateway_does_not_take(app: Flask, sends: RecordingConnections) -> None:
    """An event that the gateway does not take is answered with 503, not as delivered."""
    sends.takes = False
    answer = app.test_client().post(EVENT, json=task_event())
    assert (answer.status_code, answer.json) == (
        503,
        {"error": "The gateway did not take the event; the log says why"},
    )


@pytest.mark.parametrize("event_type", ["task_begun", "", None, 5])
def test_an_unknown_event_type(app: Flask, sends: RecordingConnections, event_type: object) -> None:
    """The message lists the event types, and nothing is sent."""
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


HEARTBEAT = b": heartbeat\n\n"
