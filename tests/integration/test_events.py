"""What browsers get to see, whichever gateway they are connected to."""

from __future__ import annotations

import json
import uuid
from typing import Any

import gevent
import pytest

from gateway_shim.protocol.event_stream import Dialect
from tests.integration.browser import Browser
from tests.integration.installation import Installation
from tests.support.backend_client import metric
from tests.support.http.client import request
from tests.support.http.message import Ended
from tests.support.http.stream import StreamRefused
from tests.support.timing import wait_until


@pytest.fixture(autouse=True)
def _nobody_is_left(installation: Installation) -> None:
    """The streams of the test before have been noticed to be gone."""
    installation.wait_for_active(0)


def kinds_of(story: list[dict[str, Any]]) -> list[str]:
    """The types of a task's events."""
    return [event["event_type"] for event in story]


# ------------------------------------------------------------------ versions


def test_version_on_connect(installation: Installation) -> None:
    """The first event of a stream is the current version."""
    with installation.connect() as browser:
        first = browser.next()
        assert (first.name, list(first.data)) == ("version", ["version"])


def test_pending_version(installation: Installation) -> None:
    """Broadcast at once; afterwards whoever connects with that request id gets it every time."""
    version = {"version": "9.9.9", "changelog": 'é\n\u2028\t"quoted" <b> 🎈'}
    request_id = str(uuid.uuid4())
    with installation.connect() as other:
        other.wait_for("version")
        said = installation.announce(request_id, **version)
        assert said == {"request_id": request_id, "delivered": False, "status": "queued"}
        assert other.wait_for("version") == version
    for _ in range(2):
        with installation.connect(request_id) as browser:
            assert browser.next().data == version
    with installation.connect() as stranger:
        assert stranger.next().data != version


def test_the_last_pending_version_wins(installation: Installation) -> None:
    """A stream that is open has seen both; one that comes later gets the last."""
    request_id = str(uuid.uuid4())
    with installation.connect(request_id) as browser:
        browser.wait_for("version")
        said = installation.announce(request_id, "1")
        assert said == {"request_id": request_id, "delivered": True, "status": "delivered"}
        installation.announce(request_id, "2", changelog="new")
        assert [browser.wait_for("version") for _ in range(2)] == [
            {"version": "1"},
            {"version": "2", "changelog": "new"},
        ]
    with installation.connect(request_id) as browser:
        assert browser.next().data == {"version": "2", "changelog": "new"}


# ------------------------------------------------------------------ tasks


def test_a_task_event_for_one_stream(installation: Installation) -> None:
    """The testing API sends it to that stream and to no other; without a stream it says so."""
    with installation.connect() as browser, installation.connect() as other:
        for each in (browser, other):
            each.wait_for("version")
        event = {"task_id": "t1", "event_type": "progress_update"}
        body = {"request_id": browser.request_id, **event, "data": {"text": "é", "value": 0.5}}
        answer = installation.ask_testing("sse/task-event", body)
        said = {"request_id": browser.request_id, **event, "delivered": True}
        assert (answer.status, answer.json()) == (200, said)
        seen = browser.wait_for("task_event")
        assert seen.pop("timestamp")
        assert seen == {**event, "data": body["data"]}
        installation.announce("nobody", "2")
        assert other.next().name == "version"
    answer = installation.ask_testing("sse/task-event", {**body, "request_id": "nobody"})
    assert answer.status == 400
    assert "nobody" in answer.json()["error"]


def test_ready(installation: Installation) -> None:
    """The backend is ready once its gateway is, wherever that runs."""
    for path in ("/readyz", "/health/readyz"):
        assert request(installation.backend.port, "GET", path).status == 200


def test_task_progress(installation: Installation) -> None:
    """Every step, in order, once; the stream stays for the next task."""
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
    """One terminal event, with a reason and no traceback."""
    with installation.connect() as browser:
        browser.wait_for("version")
        story = browser.task_story(installation.start_task("failing_task"))
        assert kinds_of(story)[-1] == "task_failed"
        assert list(story[-1]["data"]) == ["error"]


def test_broadcast_to_many(installation: Installation) -> None:
    """Forty streams see two tasks at once, all the same events in the same order."""
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
    """A second stream of a request id ends the first one cleanly and has all that follows."""
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
    """The end of a replaced stream, told after its successor's beginning, changes nothing."""
    request_id = str(uuid.uuid4())
    with installation.connect(request_id) as first:
        first.wait_for("version")
        with installation.connect(request_id) as second:
            second.wait_for("version")
            first.stream.wait_for_end()
            first.stream.close()
            # The gateway has told by now, or tells while these are under way.
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
    """The others miss nothing of the task, and the one who left is forgotten."""
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
    """A browser that comes back with its request id starts with the version again."""
    request_id = str(uuid.uuid4())
    for _ in range(3):
        with installation.connect(request_id) as browser:
            assert browser.next().name == "version"
            task_id = installation.start_task("demo_task", steps=1, delay=0)
            assert kinds_of(browser.task_story(task_id))[-1] == "task_completed"
            assert installation.active == 1
        installation.wait_for_active(0)


def test_a_storm_of_reconnects(installation: Installation) -> None:
    """Thirty browsers that reconnect all at once, some twice, end up with one stream each."""
    ids = [str(uuid.uuid4()) for _ in range(20)]
    connecting = [gevent.spawn(installation.connect, name) for name in [*ids, *ids[:10]]]
    gevent.joinall(connecting, raise_error=True)
    browsers: list[Browser] = [greenlet.value for greenlet in connecting]
    try:
        installation.wait_for_active(20)
        task_id = installation.start_task("demo_task", steps=1, delay=0)
        # Of two streams of one request id one was replaced, and which one is chance.
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
    """The first broadcast forgets it, and everybody else has the event."""
    with installation.connect() as browser:
        browser.wait_for("version")
        answer = installation.callback("connect", str(uuid.uuid4()), str(uuid.uuid4()))
        assert (answer.status, answer.json()) == (200, {})
        task_id = installation.start_task("demo_task", steps=1, delay=0)
        assert kinds_of(browser.task_story(task_id))[-1] == "task_completed"
        installation.wait_for_active(1)


def test_http_1_0(installation: Installation) -> None:
    """An old client gets the same events, without chunks."""
    with installation.connect(version="1.0") as browser:
        assert browser.next().name == "version"
        assert browser.stream.head.get("Transfer-Encoding") is None


@pytest.mark.parametrize("request_id", ["", "a:b", "x" * 201])
def test_a_bad_request_id(installation: Installation, request_id: str) -> None:
    """No stream, or, in the envelope dialect, one that only says so and ends."""
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


def test_heartbeats_do_not_disturb(installation: Installation) -> None:
    """Comments come in between; the events are the same."""
    with installation.connect() as browser:
        browser.wait_for("version")
        browser.stream.wait_for_comments(1)
        task_id = installation.start_task("demo_task", steps=1, delay=0)
        assert kinds_of(browser.task_story(task_id))[-1] == "task_completed"


def test_the_books_balance(installation: Installation) -> None:
    """After all of it nobody is connected, and no event has failed."""
    installation.wait_for_active(0)
    sent = "sse_gateway_events_sent_total"
    assert metric(installation.backend, f'{sent}{{service="task",status="success"}}') > 0
    # The task that fails on purpose has its traceback in the log; nothing else has one.
    assert installation.backend.log.count("Traceback") <= 1
    assert installation.gateway.log.count("Traceback") <= 1
