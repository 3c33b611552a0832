"""The events that browsers get, with each kind of gateway."""

from __future__ import annotations

import uuid

import pytest

from tests.integration.browser_stream import kinds_of
from tests.integration.installation import Installation
from tests.support.backend_client import metric
from tests.support.http.client import request


@pytest.fixture(autouse=True)
def _no_stream_is_left(installation: Installation) -> None:
    """Wait until the backend has noticed the end of the last test's streams."""
    installation.wait_for_active(0)


# ------------------------------------------------------------------ versions


def test_version_on_connect(installation: Installation) -> None:
    """The first event of a stream is the current version."""
    with installation.connect() as browser:
        first = browser.next()
        assert (first.name, list(first.data)) == ("version", ["version"])


def test_pending_version(installation: Installation) -> None:
    """A queued version is broadcast, and sent again to each new stream with its request id."""
    version = {"version": "9.9.9", "changelog": 'é\n\u2028\t"quoted" <b> 🎈'}
    request_id = str(uuid.uuid4())
    with installation.connect() as other:
        other.wait_for("version")
        expected = installation.announce(request_id, **version)
        assert expected == {"request_id": request_id, "delivered": False, "status": "queued"}
        assert other.wait_for("version") == version
    for _ in range(2):
        with installation.connect(request_id) as browser:
            assert browser.next().data == version
    with installation.connect() as stranger:
        assert stranger.next().data != version


def test_the_last_pending_version_wins(installation: Installation) -> None:
    """An open stream gets both versions, and a later stream gets only the last one."""
    request_id = str(uuid.uuid4())
    with installation.connect(request_id) as browser:
        browser.wait_for("version")
        expected = installation.announce(request_id, "1")
        assert expected == {"request_id": request_id, "delivered": True, "status": "delivered"}
        installation.announce(request_id, "2", changelog="new")
        assert [browser.wait_for("version") for _ in range(2)] == [
            {"version": "1"},
            {"version": "2", "changelog": "new"},
        ]
    with installation.connect(request_id) as browser:
        assert browser.next().data == {"version": "2", "changelog": "new"}


# ------------------------------------------------------------------ tasks


def test_a_task_event_for_one_stream(installation: Installation) -> None:
    """The testing API sends a task event to one stream, and reports a missing stream."""
    with installation.connect() as browser, installation.connect() as other:
        for stream in (browser, other):
            stream.wait_for("version")
        event = {"task_id": "t1", "event_type": "progress_update"}
        body = {"request_id": browser.request_id, **event, "data": {"text": "é", "value": 0.5}}
        answer = installation.post_to_testing_api("sse/task-event", body)
        expected = {"request_id": browser.request_id, **event, "delivered": True}
        assert (answer.status, answer.json()) == (200, expected)
        seen = browser.wait_for("task_event")
        assert seen.pop("timestamp")
        assert seen == {**event, "data": body["data"]}
        installation.announce("nobody", "2")
        assert other.next().name == "version"
    answer = installation.post_to_testing_api("sse/task-event", {**body, "request_id": "nobody"})
    assert answer.status == 400
    assert "nobody" in answer.json()["error"]


def test_ready(installation: Installation) -> None:
    """The backend is ready when its gateway is ready."""
    for path in ("/readyz", "/health/readyz"):
        assert request(installation.backend.port, "GET", path).status == 200


def test_task_progress(installation: Installation) -> None:
    """A stream gets every step of a task once and in order, and then the next task."""
    with installation.connect() as browser:
        browser.wait_for("version")
        story = browser.task_story(installation.start_task("demo_task", steps=10, delay=0.02))
        assert kinds_of(story) == [
            "task_started",
            *["progress_update"] * (len(story) - 2),
            "task_completed",
        ]
        values = [event["data"]["value"] for event in story[1:-1]]
        assert values == sorted(set(values))
        assert values[-1] == 1.0
        again = browser.task_story(installation.start_task("demo_task", steps=1, delay=0))
        assert kinds_of(again)[-1] == "task_completed"


def test_a_task_that_fails(installation: Installation) -> None:
    """A failed task has one last event with a reason, without a traceback."""
    with installation.connect() as browser:
        browser.wait_for("version")
        story = browser.task_story(installation.start_task("failing_task"))
        assert kinds_of(story)[-1] == "task_failed"
        assert list(story[-1]["data"]) == ["error"]


def test_broadcast_to_many(installation: Installation) -> None:
    """Forty streams get the events of two tasks in the same order."""
    browsers = [installation.connect() for _ in range(40)]
    try:
        for browser in browsers:
            browser.wait_for("version")
        assert installation.active == 40
        tasks = [installation.start_task("demo_task", steps=5, delay=0.01) for _ in range(2)]
        stories = [[browser.task_story(task) for task in tasks] for browser in browsers]
        assert all(story == stories[0] for story in stories)
        orders = [
            [message.data for message in browser.messages if message.name == "task_event"]
            for browser in browsers
        ]
        assert all(order == orders[0] for order in orders)
    finally:
        for browser in browsers:
            browser.stream.close()
    installation.wait_for_active(0)


def test_nothing_has_failed(installation: Installation) -> None:
    """After all tests of this module, no stream is open and no event has failed."""
    installation.wait_for_active(0)
    sent = "sse_gateway_events_sent_total"
    assert metric(installation.backend, f'{sent}{{service="task",status="success"}}') > 0
    # Only the task that fails on purpose has a traceback in the log.
    assert installation.backend.log.count("Traceback") <= 1
    assert installation.gateway.log.count("Traceback") <= 1
