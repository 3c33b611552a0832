"""Streams of a running backend: head, events, and both kinds of end."""

from __future__ import annotations

import json
import re
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.backend_client import active_streams, connect, metric, start_task, task_story
from tests.support.http.client import Connection, request, request_bytes
from tests.support.http.message import Ended
from tests.support.http.stream import Stream, StreamNotOpened, open_stream
from tests.support.processes.server import GunicornServer
from tests.support.timing import TIME_LIMIT, Stopwatch, wait_until


def test_stream_opens_with_the_version(server: GunicornServer) -> None:
    """A stream has the head of the contract, and its first event is the current version."""
    with connect(server) as stream:
        event = stream.next_event()
        assert event.type == "version"
        assert set(json.loads(event.data)) == {"version"}
        head = stream.head
        assert head.status == 200
        assert head.get("Content-Type") == "text/event-stream"
        assert head.get("Cache-Control") == "no-cache"
        assert head.get("Connection") == "keep-alive"
        assert head.get("X-Accel-Buffering") == "no"
        assert head.get("SSE-Heartbeat-Seconds") == "1"  # as configured
        assert head.get("Transfer-Encoding") == "chunked"
        assert head.get("Content-Encoding") is None


def test_head_and_version_come_in_one_piece(server: GunicornServer) -> None:
    """The head and the events of the callback are sent in one packet."""
    with Connection(server.port) as connection:
        connection.send(request_bytes("GET", "/api/sse/stream?request_id=one-piece"))
        first = connection.receive(time.monotonic() + TIME_LIMIT)
        assert first.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"event: version\ndata: {" in first


def test_task_progress_arrives_in_order_and_the_stream_stays(server: GunicornServer) -> None:
    """The events of a task arrive in order, and the end of the task does not end the stream."""
    with connect(server) as stream:
        stream.wait_for("version")
        task_id = start_task(server, "demo_task", steps=20, delay=0.005)
        story = task_story(stream, task_id)
        kinds = [event["event_type"] for event in story]
        assert kinds == ["task_started", *["progress_update"] * (len(kinds) - 2), "task_completed"]
        values = [event["data"]["value"] for event in story[1:-1]]
        assert values == sorted(values)
        assert len(values) == 20
        other = start_task(server, "demo_task", steps=1, delay=0)
        assert task_story(stream, other)[-1]["event_type"] == "task_completed"


def test_every_stream_gets_every_event(server: GunicornServer) -> None:
    """Events are broadcast, so two streams get the same events of a task."""
    with connect(server) as one, connect(server) as two:
        one.wait_for("version"), two.wait_for("version")
        task_id = start_task(server, "demo_task", steps=3, delay=0)
        assert task_story(one, task_id) == task_story(two, task_id)


def test_replacement_closes_the_first_stream_cleanly(server: GunicornServer) -> None:
    """A second stream with the same request id ends the first stream with a final chunk."""
    with connect(server, "replaced") as first:
        first.wait_for("version")
        with connect(server, "replaced") as second:
            second.wait_for("version")
            assert first.wait_for_end() is Ended.CLEAN
            task_id = start_task(server, "demo_task", steps=1, delay=0)
            assert task_story(second, task_id)


def test_a_request_id_is_not_a_password(tmp_path: Path) -> None:
    """Another user who knows a request id cannot take over its stream.

    The log shortens request ids in every form.
    """
    request_id = "0123456789abcdef"
    (tmp_path / "users.py").write_text(
        "def authorize(request_id, url, headers):\n    return headers.get('x-user')\n"
    )
    env = {
        "SSE_AUTHORIZE": "users:authorize",
        "APP_TASKS_PATH": str(tmp_path),
        "LOG_LEVEL": "DEBUG",
    }
    with GunicornServer(env=env) as server, ExitStack() as stack:

        def open_as(*headers: tuple[str, str]) -> Stream:
            return stack.enter_context(connect(server, request_id, headers=headers))

        first = open_as(("X-User", "ann"))
        first.wait_for("version")
        for intruder in ([("X-User", "bob")], []):
            with pytest.raises(StreamNotOpened) as refused:
                open_as(*intruder)
            assert refused.value.response.head.status == 403
        assert task_story(first, start_task(server, "demo_task", steps=1, delay=0))
        assert active_streams(server) == 1
        assert metric(server, 'requests_refused_total{reason="another_user"}') == 2
        open_as(("X-User", "ann")).wait_for("version")
        assert first.wait_for_end() is Ended.CLEAN
        server.wait_for_log("stream replaced .*request_id=01234567…")
        server.wait_for_log("stream opened .*request_id=01234567…")
        assert request_id not in server.log


def test_a_disconnect_is_noticed_without_a_write() -> None:
    """A client that closes or resets is noticed before anything is written to it."""
    with GunicornServer(env={"HEARTBEAT_INTERVAL_SECONDS": "3600"}) as server:
        for leave in ("close", "reset"):
            stream = connect(server)
            stream.wait_for("version")
            assert active_streams(server) == 1
            getattr(stream, leave)()
            wait_until(lambda: active_streams(server) == 0, f"the stream to be gone after {leave}")


def test_heartbeats_are_an_interval_apart(server: GunicornServer) -> None:
    """Heartbeats come every second after the opening of the stream."""
    before = time.monotonic()
    with connect(server) as stream, Stopwatch(server.worker_pid()) as watch:
        # The first one comes at once, with the cursor.
        assert stream.wait_for_comments(4) == [" heartbeat"] * 4
    assert watch.seconds < 3.5
    for number, moment in enumerate(stream.comment_times[:4]):
        assert number - 0.05 <= moment - before  # never too early


def test_http_1_0_gets_bare_bytes(server: GunicornServer) -> None:
    """An HTTP/1.0 client gets a body without chunks."""
    with connect(server, version="1.0") as stream:
        assert stream.next_event().type == "version"
        assert stream.head.get("Transfer-Encoding") is None
        assert re.match(
            rb": heartbeat\nid: \w+-\d+\n\nretry: 3000\nevent: version\ndata: ", stream.raw
        )


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "Backend returned 400"),
        ("?request_id=", "Backend returned 400"),
        ("?request_id=a:b", "Backend returned 400"),
        (f"?request_id={'x' * 201}", "Backend returned 400"),
    ],
)
def test_bad_request_ids_are_refused(server: GunicornServer, query: str, message: str) -> None:
    """A stream with a bad request id is refused with 400."""
    with pytest.raises(StreamNotOpened) as refused:
        open_stream(server.port, f"/api/sse/stream{query}")
    response = refused.value.response
    assert response.head.status == 400
    assert json.loads(response.body) == {"error": {"message": message, "code": "BACKEND_ERROR"}}


def test_refusal_keeps_the_connection(server: GunicornServer) -> None:
    """A refused stream keeps its connection for the next request."""
    with Connection(server.port) as connection:
        connection.send(request_bytes("GET", "/api/sse/stream") + request_bytes("GET", "/healthz"))
        assert connection.read_response().head.status == 400
        assert connection.read_response().head.status == 200


def test_head_of_a_stream(server: GunicornServer) -> None:
    """HEAD returns the headers of a stream, and does not replace an open stream."""
    with connect(server, "headed") as stream:
        stream.wait_for("version")
        answer = request(server.port, "HEAD", "/api/sse/stream?request_id=headed")
        assert answer.head.status == 200
        assert answer.head.get("Content-Type") == "text/event-stream"
        assert answer.body == b""
        task_id = start_task(server, "demo_task", steps=1, delay=0)
        assert task_story(stream, task_id)


def test_a_client_that_sends_data(server: GunicornServer) -> None:
    """Bytes after the request are discarded, and the end of the stream is still noticed."""
    with connect(server) as stream:
        stream.wait_for("version")
        stream.connection.send(b"GET / HTTP/1.1\r\n\r\n" * 10_000)
        task_id = start_task(server, "demo_task", steps=1, delay=0)
        assert task_story(stream, task_id)
    wait_until(lambda: active_streams(server) == 0, "the stream to be gone")


def test_five_hundred_streams(server: GunicornServer) -> None:
    """500 streams get every event of a task, in the same order."""
    streams = [connect(server) for _ in range(500)]
    try:
        task_id = start_task(server, "demo_task", steps=5, delay=0)
        stories = [task_story(stream, task_id) for stream in streams]
        assert all(story == stories[0] for story in stories)
        assert len(stories[0]) == 7
    finally:
        for stream in streams:
            stream.close()
    wait_until(lambda: active_streams(server) == 0, "all streams to be gone")


def test_pending_version_is_sent_on_connect(server: GunicornServer) -> None:
    """A queued version is broadcast, and is sent again whenever its request id connects."""
    queue = {"request_id": "pending", "version": "9.9.9", "changelog": "new"}
    with connect(server) as other:
        other.wait_for("version")
        answer = request(server.port, "POST", "/api/testing/deployments/version", json_body=queue)
        expected_answer = {"request_id": "pending", "delivered": False, "status": "queued"}
        assert (answer.head.status, json.loads(answer.body)) == (202, expected_answer)
        expected = {"version": "9.9.9", "changelog": "new"}
        assert json.loads(other.wait_for("version").data) == expected
    for _ in range(2):
        with connect(server, "pending") as stream:
            assert json.loads(stream.next_event().data) == expected
