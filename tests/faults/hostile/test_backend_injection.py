"""Nothing that is sent to the backend can forge an SSE line, a header, a log line or HTML.

The texts go through a real server. The parser that reads the streams shares no code with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.faults.hostile.injection import ODD, assert_cut_anywhere, many, on_the_wire, texts
from tests.support.backend_client import connect, start_task, task_story
from tests.support.http.client import Connection, request
from tests.support.http.message import Head, Response
from tests.support.http.stream import Stream, StreamNotOpened, open_stream
from tests.support.processes.server import GunicornServer, Server

ECHO_TASKS = ",".join(
    f"tests.faults.hostile.echo_task:{name}" for name in ("EchoTask", "FailingEchoTask")
)
"""The value of APP_TASKS."""

RETRY_MS = 3000
"""The reconnection time in the first event of each stream, in milliseconds."""


@pytest.fixture(scope="module", params=["text", "json"])
def backend(request: pytest.FixtureRequest) -> Iterator[Server]:
    """Start a backend that logs everything, and check at the end that no log line was forged."""
    env = {
        "FLASK_ENV": "testing",
        "LOG_LEVEL": "DEBUG",
        "LOG_FORMAT": request.param,
        "CORS_ORIGINS": "https://good.example",
        "HEARTBEAT_INTERVAL_SECONDS": "60",
        "APP_TASKS": ECHO_TASKS,
    }
    with GunicornServer(env=env) as server:
        yield server
        assert server.terminate() == 0
        lines = server.log.splitlines(keepends=False)
        ours = lines[lines.index("") :] if "" in lines else lines
        shown = [line for line in ours if line and not line.startswith("  ")]
        assert len(shown) > 100
        for line in shown:
            assert "\x1b" not in line
            assert not re.search("[\u2028\u2029\x85\u202e]", line)
            if request.param == "json":
                assert json.loads(line)["logger"] != "forged"
            else:
                assert re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z [A-Z]+ [\w.]+: ", line), line
                assert not re.match(r"\S+ \S+ forged:", line)


@many
@given(text=texts)
def test_a_tasks_text(backend: Server, text: str) -> None:
    """The progress, result and error of a task arrive unchanged, in one event each."""
    with connect(backend) as stream:
        stream.wait_for("version")
        # A lone surrogate has no UTF-8. A task's text has an escape in its place.
        shown = text.encode("utf-8", "backslashreplace").decode()
        task = start_task(backend, "echo_task", text=text)
        started, progress, last = task_story(stream, task)
        assert started["event_type"] == "task_started"
        assert progress["event_type"] == "progress_update"
        assert progress["data"] == {"text": shown, "value": 0.5}
        if shown == text:
            assert (last["event_type"], last["data"]) == ("task_completed", {"text": shown})
        else:  # pydantic cannot serialize a lone surrogate, so the task fails
            assert last["event_type"] == "task_failed"
        task = start_task(backend, "failing_echo_task", text=text)
        story = task_story(stream, task)
        assert [event["event_type"] for event in story] == ["task_started", "task_failed"]
        assert len(stream.events) == 6
        assert_cut_anywhere(stream.raw, stream.events, RETRY_MS, 1, has_ids=True)


@many
@given(version=texts, changelog=texts, request_id=texts)
def test_a_version(backend: Server, version: str, changelog: str, request_id: str) -> None:
    """A version arrives unchanged, or is refused with JSON."""
    document = {"request_id": request_id, "version": version, "changelog": changelog}
    with connect(backend) as stream:
        stream.wait_for("version")
        answer = request(
            backend.port, "POST", "/api/testing/deployments/version", json_body=document
        )
        if answer.status == 400:
            assert set(answer.json()) == {"error", "details"}
            return
        assert answer.status == 202
        event = json.loads(stream.next_event().data)
        assert event == {"version": on_the_wire(version), "changelog": on_the_wire(changelog)}
        assert len(stream.events) == 2
        assert_cut_anywhere(stream.raw, stream.events, RETRY_MS, 1, has_ids=True)


HEAD_NAMES = {
    "Content-Type",
    "Cache-Control",
    "Connection",
    "Keep-Alive",
    "X-Accel-Buffering",
    "Transfer-Encoding",
    "Content-Length",
    "Date",
    "Server",
    "Vary",
    "Access-Control-Allow-Origin",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Credentials",
    "Access-Control-Expose-Headers",
    "SSE-Heartbeat-Seconds",
    "Allow",
}

JSON_TYPES = ("application/json", "application/json; charset=utf-8")

header_values = st.one_of(
    st.sampled_from(
        ["https://good.example", "https://good.example\tX", "https://good.example.evil"]
    ),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=100),
    st.sampled_from(ODD).map(
        lambda text: re.sub("[\r\n\0]", " ", on_the_wire(text)).encode().decode("latin-1")
    ),
)


def assert_head_is_ours(head: Head, origin: str) -> None:
    """Check that a head has only known headers, and allows only the one allowed origin."""
    assert {name for name, _ in head.headers} <= HEAD_NAMES
    allowed = head.get("Access-Control-Allow-Origin")
    assert allowed in (None, "https://good.example")
    assert (head.get("Access-Control-Allow-Credentials") is not None) == (allowed is not None)
    if allowed is not None:
        assert origin.strip() == allowed


@many
@given(request_id=texts, value=header_values)
def test_a_request_id_and_headers(backend: Server, request_id: str, value: str) -> None:
    """No request id and no header of a browser can forge the head of the response."""
    target = "/api/sse/stream?request_id=" + quote(on_the_wire(request_id), safe="")
    others = [(name, value) for name in ("User-Agent", "X-Forwarded-For", "Cookie")]
    answer = try_to_open(backend.port, target, [("Origin", value), *others])
    assert_head_is_ours(answer.head, value)
    if isinstance(answer, Response) and answer.status == 403:  # another site's page
        assert answer.json()["error"]["code"] == "CROSS_SITE"
        answer = try_to_open(backend.port, target, others)
        assert_head_is_ours(answer.head, value)
    if isinstance(answer, Stream):
        with answer as stream:
            assert stream.next_event().type == "version"
            assert_cut_anywhere(stream.raw, stream.events, RETRY_MS, 1, has_ids=True)
        return
    assert answer.status == 400
    assert set(answer.json()) == {"error"}


def try_to_open(port: int, target: str, headers: list[tuple[str, str]]) -> Stream | Response:
    """Open a stream. If the stream is refused, return the response."""
    try:
        return open_stream(port, target, headers=headers, lone_ids=True)
    except StreamNotOpened as refused:
        return refused.response


@many
@given(path=texts, value=header_values)
def test_a_path(backend: Server, path: str, value: str) -> None:
    """Error responses that repeat the path are JSON, and not HTML or a header."""
    target = "/api/" + quote(on_the_wire(path), safe="")
    for method in ("GET", "POST", "DELETE", "PATCH"):
        answer = request(backend.port, method, target, headers=[("Origin", value)])
        assert answer.status in (400, 404, 405, 415)
        assert_head_is_ours(answer.head, value)
        assert answer.head.get("Content-Type") in JSON_TYPES
        assert set(answer.json()) <= {"error", "details"}


@many
@given(raw=st.binary(max_size=300))
@example(raw=b"GET /\x85\xe2\x80\xa8 HTTP/1.1\r\nHost: \x1b[2J\r\n\r\n")
def test_bytes_that_are_not_a_request(backend: Server, raw: bytes) -> None:
    """Any bytes get a response with a valid head, or the end of the connection."""
    with Connection(backend.port) as connection:
        connection.send(raw + b"\r\n\r\n")
        connection.socket.shutdown(1)
        try:
            response = connection.read_response()
        except (AssertionError, ConnectionResetError):
            return  # the connection ended, because the bytes were not a request
        assert {name for name, _ in response.head.headers} <= HEAD_NAMES
