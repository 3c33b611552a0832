"""Nothing that is sent can forge an SSE line, an HTTP header, a log line or HTML.

Everything goes through the real servers, and comes out of a parser that shares no code with
them: as it went in, and the same wherever the bytes are cut.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.backend_client import connect, start_task, task_story
from tests.support.http.client import Connection, request
from tests.support.http.message import Head, Response
from tests.support.http.sse_parser import SSEEvent, SSEParser
from tests.support.http.stream import Stream, StreamRefused, open_stream
from tests.support.http.switchable_server import SwitchableServer
from tests.support.processes.server import GunicornServer, Server

ECHO_TASKS = ",".join(
    f"tests.faults.hostile.echo_task:{name}" for name in ("EchoTask", "FailingEchoTask")
)
"""The value of APP_TASKS."""

many = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

ODD = [
    "data: forged",
    "\ndata: forged\n\n",
    "\r\n\r\nevent: forged\r\ndata: x\r\n\r\n",
    "\rid: 7\rretry: 1\r: comment\r\r",
    "0\r\n\r\n",
    "\ufeffdata: x",
    "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg",
    "\x00",
    "\ud800",
    " leading",
    "",
    "</script><script>alert(1)</script>",
    '"}\n\ndata: {"event_type": "task_completed"}',
    "\x1b[2J\x1b]0;owned\x07",
    "\n2026-01-01T00:00:00.000Z ERROR forged: line",
    '\n{"time": "2026-01-01T00:00:00.000Z", "level": "ERROR", "logger": "forged"}',
    "x\r\nSet-Cookie: forged=1\r\n\r\nHTTP/1.1 200 OK",
    "\u202ereversed",
]

texts = st.one_of(
    st.sampled_from(ODD),
    st.lists(
        st.sampled_from(["\r", "\n", "data:", "event:", "id:", "retry: 1", ":", " ", "x", "\0"])
    ).map("".join),
    st.text(st.characters(), max_size=200),
)


def on_the_wire(text: str) -> str:
    """A text as UTF-8 can carry it: surrogates that stand alone become U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def normalized(text: str) -> str:
    """A text whose line ends are what the event stream format makes of them."""
    return re.sub("\r\n|\r", "\n", on_the_wire(text))


def assert_cut_anywhere(
    raw: bytes, events: list[SSEEvent], retry: int | None = None, fields: int = 0
) -> None:
    """The bytes mean the same, cut in two at any place and byte by byte.

    Args:
        raw: a stream's bytes.
        events: what they say.
        retry: the pause that the server itself has asked for.
        fields: how many lines the server itself has begun with ``retry:``.
    """
    assert len(re.findall(rb"^retry:", raw, re.M)) == fields
    cuts = [[raw[:at], raw[at:]] for at in range(0, len(raw) + 1, max(1, len(raw) // 200))]
    for pieces in [*cuts, [raw[at : at + 1] for at in range(len(raw))]]:
        parser = SSEParser()
        for piece in pieces:
            parser.feed(piece)
        parser.close()
        assert parser.events == events
        assert (parser.retry, parser.last_event_id) == (retry, "")
        assert set(parser.comments) <= {" heartbeat"}


# ------------------------------------------------------------------ the gateway


class Line:
    """A stream of a gateway in one dialect, and how to send to it."""

    def __init__(self, server: Server, stream: Stream, token: str) -> None:
        self.server = server
        self.stream = stream
        self.token = token

    def send(self, event: dict[str, Any]) -> tuple[int, Any]:
        """Send an event; status and body of the answer."""
        body = {"token": self.token, "event": event}
        answer = request(self.server.port, "POST", "/internal/send", json_body=body)
        assert answer.head.get("Content-Type") == "application/json; charset=utf-8"
        return answer.status, answer.json()

    def receive(self, sent: dict[str, Any]) -> SSEEvent:
        """Send an event that is good, and return what the browser gets for it: one event."""
        count, start = len(self.stream.events), len(self.stream.raw)
        assert self.send(sent) == (200, {"status": "ok"})
        event = self.stream.next_event()
        assert self.send({"name": "fence", "data": "0"}) == (200, {"status": "ok"})
        self.stream.next_event()
        assert len(self.stream.events) == count + 2
        assert_cut_anywhere(self.stream.raw[start:], self.stream.events[count:])
        return event


@pytest.fixture(scope="module")
def lines() -> Iterator[dict[str, Line]]:
    """One gateway and one stream for each dialect."""
    with ExitStack() as stack:
        found = {}
        for dialect in ("named", "envelope"):
            backend = stack.enter_context(SwitchableServer())
            env = {
                "CALLBACK_URL": backend.url,
                "SSE_DIALECT": dialect,
                "HEARTBEAT_INTERVAL_SECONDS": "60",
            }
            command = [
                sys.executable,
                "-m",
                "gateway_shim",
                "--host",
                "127.0.0.1",
                "--port",
                "{port}",
            ]
            server = stack.enter_context(Server(command, env=env))
            stream = stack.enter_context(open_stream(server.port, "/s"))
            if dialect == "envelope":
                stream.wait_for("ready")
            found[dialect] = Line(server, stream, backend.of("connect")[0]["token"])
        yield found


@many
@given(name=texts, data=texts)
@example(name="\nforged", data="x")
@example(name="x", data="\r\r\n\n")
def test_the_named_dialect(lines: dict[str, Line], name: str, data: str) -> None:
    """Name and data arrive as they were; a name that could end its line is refused."""
    line = lines["named"]
    if set(name) & set("\r\n\0"):
        status, answer = line.send({"name": name, "data": data})
        assert (status, answer["error"]["code"]) == (400, "INVALID_EVENT_NAME_TYPE")
        return
    event = line.receive({"name": name, "data": data})
    assert event == SSEEvent(on_the_wire(name) or "message", normalized(data))


@many
@given(name=texts, data=texts)
@example(name="x", data='{"a": [1, "\\u2028"]}')
@example(name="x", data='{\r\n"a":\r1}')
def test_the_envelope_dialect(lines: dict[str, Line], name: str, data: str) -> None:
    """A named event is one JSON document with name and data in it; it too cannot be left."""
    line = lines["envelope"]
    if set(name) & set("\r\n\0"):
        assert line.send({"name": name, "data": data})[0] == 400
        return
    event = line.receive({"name": name, "data": data})
    if not name:
        assert event == SSEEvent("message", normalized(data))
        return
    assert event.type == "message"
    document = json.loads(event.data)
    assert set(document) == {"type", "payload"}
    assert document["type"] == name
    try:
        payload = json.loads(on_the_wire(data), parse_constant=int)  # NaN is no JSON
    except ValueError:
        payload = data or None
    assert document["payload"] == payload


@pytest.fixture(scope="module")
def refusing() -> Iterator[tuple[Server, SwitchableServer]]:
    """A gateway in the dialect that refuses in the stream, and its backend."""
    command = [sys.executable, "-m", "gateway_shim", "--host", "127.0.0.1", "--port", "{port}"]
    with SwitchableServer() as backend:
        env = {"CALLBACK_URL": backend.url, "SSE_DIALECT": "envelope"}
        with Server(command, env=env) as server:
            yield server, backend


@many
@given(phrase=st.binary(max_size=60).map(lambda raw: re.sub(rb"[\r\n\0]", b"?", raw)))
@example(phrase=b'"},"forged":{"')
@example(phrase=b"data: \x0b\x85\xe2\x80\xa8")
def test_a_backends_reason_phrase(refusing: tuple[Server, SwitchableServer], phrase: bytes) -> None:
    """What a backend says with its refusal is a string in the rejected event and nothing else."""
    server, backend = refusing
    backend.mode = b"HTTP/1.1 401 " + phrase + b"\r\nContent-Length: 0\r\n\r\n"
    with open_stream(server.port, "/rejected") as stream:
        assert stream.wait_for_end() == "clean"
        (event,) = stream.events
        assert event.type == "rejected"
        document = json.loads(event.data)
        assert set(document) == {"status", "message"}
        assert document["status"] == 401
        assert_cut_anywhere(stream.raw, stream.events)


# ------------------------------------------------------------------ the monolith

RETRY_MS = 3000
"""What the first event of each of its streams says, and no other."""


@pytest.fixture(scope="module", params=["text", "json"])
def monolith(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The backend in testing mode, everything logged; its log is checked at the end."""
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
def test_a_tasks_text(monolith: Server, text: str) -> None:
    """Progress, result and error of a task arrive as they are, in one event each."""
    with connect(monolith) as stream:
        stream.wait_for("version")
        # Half a surrogate pair has no UTF-8; a task's text shows it as an escape.
        shown = text.encode("utf-8", "backslashreplace").decode()
        task = start_task(monolith, "echo_task", text=text)
        begun, progress, last = task_story(stream, task)
        assert begun["event_type"] == "task_started"
        assert progress["event_type"] == "progress_update"
        assert progress["data"] == {"text": shown, "value": 0.5}
        if shown == text:
            assert (last["event_type"], last["data"]) == ("task_completed", {"text": shown})
        else:  # pydantic cannot write half a surrogate pair: such a result fails its task
            assert last["event_type"] == "task_failed"
        task = start_task(monolith, "failing_echo_task", text=text)
        story = task_story(stream, task)
        assert [event["event_type"] for event in story] == ["task_started", "task_failed"]
        assert len(stream.events) == 6
        assert_cut_anywhere(stream.raw, stream.events, RETRY_MS, 1)


@many
@given(version=texts, changelog=texts, request_id=texts)
def test_a_version(monolith: Server, version: str, changelog: str, request_id: str) -> None:
    """A version arrives as it is, or is refused with JSON."""
    document = {"request_id": request_id, "version": version, "changelog": changelog}
    with connect(monolith) as stream:
        stream.wait_for("version")
        answer = request(
            monolith.port, "POST", "/api/testing/deployments/version", json_body=document
        )
        if answer.status == 400:
            assert set(answer.json()) == {"error", "details"}
            return
        assert answer.status == 202
        event = json.loads(stream.next_event().data)
        assert event == {"version": on_the_wire(version), "changelog": on_the_wire(changelog)}
        assert len(stream.events) == 2
        assert_cut_anywhere(stream.raw, stream.events, RETRY_MS, 1)


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


def assert_own_head(head: Head, origin: str) -> None:
    """Only headers of ours, and only that one origin is ever let in."""
    assert {name for name, _ in head.headers} <= HEAD_NAMES
    allowed = head.get("Access-Control-Allow-Origin")
    assert allowed in (None, "https://good.example")
    assert (head.get("Access-Control-Allow-Credentials") is not None) == (allowed is not None)
    if allowed is not None:
        assert origin.strip() == allowed


@many
@given(request_id=texts, value=header_values)
def test_a_request_id_and_headers(monolith: Server, request_id: str, value: str) -> None:
    """Whatever a browser calls itself, the answer's head is ours; the log is checked above."""
    target = "/api/sse/stream?request_id=" + quote(on_the_wire(request_id), safe="")
    others = [(name, value) for name in ("User-Agent", "X-Forwarded-For", "Cookie")]
    answer = ask(monolith.port, target, [("Origin", value), *others])
    assert_own_head(answer.head, value)
    if isinstance(answer, Response) and answer.status == 403:  # another site's page
        assert answer.json()["error"]["code"] == "CROSS_SITE"
        answer = ask(monolith.port, target, others)
        assert_own_head(answer.head, value)
    if isinstance(answer, Stream):
        with answer as stream:
            assert stream.next_event().type == "version"
            assert_cut_anywhere(stream.raw, stream.events, RETRY_MS, 1)
        return
    assert answer.status == 400
    assert set(answer.json()) == {"error"}


def ask(port: int, target: str, headers: list[tuple[str, str]]) -> Stream | Response:
    """Ask for a stream; the answer if there is none."""
    try:
        return open_stream(port, target, headers=headers)
    except StreamRefused as refused:
        return refused.response


@many
@given(path=texts, value=header_values)
def test_a_path(monolith: Server, path: str, value: str) -> None:
    """Errors that repeat what was asked for are JSON, never HTML, never a header."""
    target = "/api/" + quote(on_the_wire(path), safe="")
    for method in ("GET", "POST", "DELETE", "PATCH"):
        answer = request(monolith.port, method, target, headers=[("Origin", value)])
        assert answer.status in (400, 404, 405, 415)
        assert_own_head(answer.head, value)
        assert answer.head.get("Content-Type") in JSON_TYPES
        assert set(answer.json()) <= {"error", "details"}


@many
@given(raw=st.binary(max_size=300))
@example(raw=b"GET /\x85\xe2\x80\xa8 HTTP/1.1\r\nHost: \x1b[2J\r\n\r\n")
def test_bytes_that_are_no_request(monolith: Server, raw: bytes) -> None:
    """Any bytes at all get an answer with a good head, or an end; the log is checked above."""
    with Connection(monolith.port) as connection:
        connection.send(raw + b"\r\n\r\n")
        connection.socket.shutdown(1)
        try:
            response = connection.read_response()
        except (AssertionError, ConnectionResetError):
            return  # the end of the connection: nothing was asked
        assert {name for name, _ in response.head.headers} <= HEAD_NAMES


def test_the_parser_would_notice() -> None:
    """A forged line does make these tests fail: this is one."""
    with pytest.raises(AssertionError):
        assert_cut_anywhere(b"data: a\n\nretry: 5\n\n", [SSEEvent("message", "a")])
