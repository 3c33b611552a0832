"""The events that browsers get, with each kind of gateway."""

from __future__ import annotations

import json
import uuid
from typing import Any

import gevent
import pytest

from gateway_shim.protocol.event_stream import Dialect
from tests.integration.browser_stream import BrowserStream
from tests.integration.installation import Installation
from tests.support.backend_client import metric
from tests.support.http.client import request
from tests.support.http.message import Ended
from tests.support.http.stream import StreamRefused
from tests.support.timing import wait_until


@pytest.fixture(autouse=True)
def _no_stream_is_left(installation: Installation) -> None:
    """Wait until the backend has noticed the end of the last test's streams."""
    installation.wait_for_active(0)


def kinds_of(story: list[dict[str, Any]]) -> list[str]:
    """Return the types of a task's events."""
    return [event["event_type"] for event in story]


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


# ------------------------------------------------------------------ coming and going


def test_replacement(installation: Installation) -> None:
    """A second stream with the same request id ends the first one and gets all further events."""
    request_id = str(uuid.uuid4())
    with installation.connect(request_id) as first:
        first.wait_for("version")
        with installation.connect(request_id) as second:
            second.wait_for("version")
            assert first.stream.wait_for_end() is Ended.CLEAN
            assert installation.active == 1
            task_id = installation.start_task("demo_task", steps=1, delay=0)
            assert kinds_of(second.task_story(task_id))[-1] == "task_completed"
            assert not any(message.name == "task_event" for message in first.messages)
    installation.wait_for_active(0)


def test_stale_disconnect(installation: Installation) -> None:
    """The disconnect of a replaced stream does not affect the new stream."""
    request_id = str(uuid.uuid4())
    with installation.connect(request_id) as first:
        first.wait_for("version")
        with installation.connect(request_id) as second:
            second.wait_for("version")
            first.stream.wait_for_end()
            first.stream.close()
            # The gateway has reported the end by now, or reports it during these callbacks.
            for token in ("no-such-token", str(uuid.uuid4())):
                answer = installation.callback("disconnect", token, request_id, reason="error")
                assert (answer.status, answer.json()) == (200, {})
            for _ in range(3):
                task_id = installation.start_task("demo_task", steps=1, delay=0)
                assert kinds_of(second.task_story(task_id))[-1] == "task_completed"
            assert installation.active == 1
    installation.wait_for_active(0)


@pytest.mark.parametrize("leave", ["close", "reset"])
def test_one_client_gone_in_the_middle(installation: Installation, leave: str) -> None:
    """A client that leaves in the middle of a task does not affect the others."""
    with (
        installation.connect() as one,
        installation.connect() as leaver,
        installation.connect() as two,
    ):
        for browser in (one, leaver, two):
            browser.wait_for("version")
        task_id = installation.start_task("demo_task", steps=10, delay=0.03)
        leaver.wait_for("task_event")
        getattr(leaver.stream, leave)()
        installation.wait_for_active(2)
        story = one.task_story(task_id)
        assert two.task_story(task_id) == story
        assert (kinds_of(story)[0], kinds_of(story)[-1]) == ("task_started", "task_completed")
    installation.wait_for_active(0)


def test_reconnect(installation: Installation) -> None:
    """A browser that reconnects gets the version first again."""
    request_id = str(uuid.uuid4())
    for _ in range(3):
        with installation.connect(request_id) as browser:
            assert browser.next().name == "version"
            task_id = installation.start_task("demo_task", steps=1, delay=0)
            assert kinds_of(browser.task_story(task_id))[-1] == "task_completed"
            assert installation.active == 1
        installation.wait_for_active(0)


def test_a_storm_of_reconnects(installation: Installation) -> None:
    """After thirty connects at once, each of twenty request ids has one stream."""
    ids = [str(uuid.uuid4()) for _ in range(20)]
    connecting = [gevent.spawn(installation.connect, name) for name in [*ids, *ids[:10]]]
    gevent.joinall(connecting, raise_error=True)
    browsers: list[BrowserStream] = [greenlet.value for greenlet in connecting]
    try:
        installation.wait_for_active(20)
        task_id = installation.start_task("demo_task", steps=1, delay=0)
        # One of two streams with the same request id was replaced, at random.
        alive = 0
        for browser in browsers:
            wait_until(
                lambda browser=browser: (  # type: ignore[misc]
                    browser.stream.poll().ended
                    or any(message.name == "task_event" for message in browser.messages)
                ),
                "the stream to end or to have an event",
            )
            if browser.stream.ended is None:
                assert kinds_of(browser.task_story(task_id))[-1] == "task_completed"
                alive += 1
        assert alive == 20
    finally:
        for browser in browsers:
            browser.stream.close()
    installation.wait_for_active(0)


def test_a_stream_that_the_gateway_does_not_know(installation: Installation) -> None:
    """A stream that the gateway does not know is dropped at the first broadcast."""
    with installation.connect() as browser:
        browser.wait_for("version")
        answer = installation.callback("connect", str(uuid.uuid4()), str(uuid.uuid4()))
        assert (answer.status, answer.json()) == (200, {})
        task_id = installation.start_task("demo_task", steps=1, delay=0)
        assert kinds_of(browser.task_story(task_id))[-1] == "task_completed"
        installation.wait_for_active(1)


def test_http_1_0(installation: Installation) -> None:
    """An HTTP/1.0 client gets the same events without chunks."""
    with installation.connect(version="1.0") as browser:
        assert browser.next().name == "version"
        assert browser.stream.head.get("Transfer-Encoding") is None


@pytest.mark.parametrize("request_id", ["", "a:b", "x" * 201])
def test_a_bad_request_id(installation: Installation, request_id: str) -> None:
    """A bad request id is refused, in the envelope dialect with an event."""
    try:
        with installation.connect(request_id) as browser:
            assert browser.stream.wait_for_end() is Ended.CLEAN
            (event,) = browser.stream.events
            assert (event.type, json.loads(event.data)["status"]) == ("rejected", 400)
            assert installation.dialect is not Dialect.NAMED
    except StreamRefused as refused:
        response = refused.response
        assert response.status == 400
        assert response.json() == {
            "error": {"message": "Backend returned 400", "code": "BACKEND_ERROR"}
        }
        assert installation.dialect is not Dialect.ENVELOPE
    assert installation.active == 0


def test_heartbeats_between_events(installation: Installation) -> None:
    """Heartbeats do not change the events of a stream."""
    with installation.connect() as browser:
        browser.wait_for("version")
        browser.stream.wait_for_comments(1)
        task_id = installation.start_task("demo_task", steps=1, delay=0)
        assert kinds_of(browser.task_story(task_id))[-1] == "task_completed"


def test_nothing_has_failed(installation: Installation) -> None:
    """After all tests of this module, no stream is open and no event has failed."""
    installation.wait_for_active(0)
    sent = "sse_gateway_events_sent_total"
    assert metric(installation.backend, f'{sent}{{service="task",status="success"}}') > 0
    # Only the task that fails on purpose has a traceback in the log.
    assert installation.backend.log.count("Traceback") <= 1
    assert installation.gateway.log.count("Traceback") <= 1
