"""Streams that open, are replaced, and end, with each kind of gateway."""

from __future__ import annotations

import json
import uuid

import gevent
import pytest

from gateway_shim.protocol.event_stream import Dialect
from tests.integration.browser_stream import BrowserStream, kinds_of
from tests.integration.installation import Installation
from tests.support.backend_client import metric
from tests.support.http.message import Ended
from tests.support.http.stream import StreamNotOpened
from tests.support.timing import wait_until


@pytest.fixture(autouse=True)
def _no_stream_is_left(installation: Installation) -> None:
    """Wait until the backend has noticed the end of the last test's streams."""
    installation.wait_for_active(0)


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
    except StreamNotOpened as refused:
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
    assert "Traceback" not in installation.backend.log
    assert "Traceback" not in installation.gateway.log
