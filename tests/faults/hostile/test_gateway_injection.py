"""Nothing that is sent to a gateway can forge a line of its streams.

The texts go through a real gateway. The parser that reads the streams shares no code with it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests.faults.hostile.injection import (
    assert_cut_anywhere,
    many,
    normalized,
    on_the_wire,
    texts,
)
from tests.support.http.client import request
from tests.support.http.sse_parser import SSEEvent
from tests.support.http.stream import Stream, open_stream
from tests.support.http.switchable_server import SwitchableServer
from tests.support.processes.server import GatewayServer, Server


class SendingStream:
    """A stream of a gateway in one dialect, with methods that send events to it."""

    def __init__(self, server: Server, stream: Stream, token: str) -> None:
        self.server = server
        self.stream = stream
        self.token = token

    def send(self, event: dict[str, Any]) -> tuple[int, Any]:
        """Send an event, and return the status and the body of the response."""
        body = {"token": self.token, "event": event}
        answer = request(self.server.port, "POST", "/internal/send", json_body=body)
        assert answer.head.get("Content-Type") == "application/json; charset=utf-8"
        return answer.status, answer.json()

    def receive(self, sent: dict[str, Any]) -> SSEEvent:
        """Send a valid event, and return the one event that the browser gets."""
        count, start = len(self.stream.events), len(self.stream.raw)
        assert self.send(sent) == (200, {"status": "ok"})
        event = self.stream.next_event()
        assert self.send({"name": "fence", "data": "0"}) == (200, {"status": "ok"})
        self.stream.next_event()
        assert len(self.stream.events) == count + 2
        assert_cut_anywhere(self.stream.raw[start:], self.stream.events[count:])
        return event


@pytest.fixture(scope="module")
def streams() -> Iterator[dict[str, SendingStream]]:
    """Start one gateway for each dialect, and open one stream to each."""
    with ExitStack() as stack:
        found = {}
        for dialect in ("named", "envelope"):
            backend = stack.enter_context(SwitchableServer())
            env = {
                "CALLBACK_URL": backend.url,
                "SSE_DIALECT": dialect,
                "HEARTBEAT_INTERVAL_SECONDS": "60",
            }
            server = stack.enter_context(GatewayServer(env=env))
            stream = stack.enter_context(open_stream(server.port, "/s"))
            if dialect == "envelope":
                stream.wait_for("ready")
            found[dialect] = SendingStream(server, stream, backend.of("connect")[0]["token"])
        yield found


@many
@given(name=texts, data=texts)
@example(name="\nforged", data="x")
@example(name="x", data="\r\r\n\n")
def test_the_named_dialect(streams: dict[str, SendingStream], name: str, data: str) -> None:
    """In the named dialect, name and data arrive unchanged, or the name is refused."""
    stream = streams["named"]
    if set(name) & set("\r\n\0"):
        status, answer = stream.send({"name": name, "data": data})
        assert (status, answer["error"]["code"]) == (400, "INVALID_EVENT_NAME_TYPE")
        return
    event = stream.receive({"name": name, "data": data})
    assert event == SSEEvent(on_the_wire(name) or "message", normalized(data))


@many
@given(name=texts, data=texts)
@example(name="x", data='{"a": [1, "\\u2028"]}')
@example(name="x", data='{\r\n"a":\r1}')
def test_the_envelope_dialect(streams: dict[str, SendingStream], name: str, data: str) -> None:
    """In the envelope dialect, a named event is one JSON document with its name and data."""
    stream = streams["envelope"]
    if set(name) & set("\r\n\0"):
        assert stream.send({"name": name, "data": data})[0] == 400
        return
    event = stream.receive({"name": name, "data": data})
    if not name:
        assert event == SSEEvent("message", normalized(data))
        return
    assert event.type == "message"
    document = json.loads(event.data)
    assert set(document) == {"type", "payload"}
    assert document["type"] == name
    try:
        payload = json.loads(on_the_wire(data), parse_constant=int)  # NaN is not JSON
    except ValueError:
        payload = data or None
    assert document["payload"] == payload


@pytest.fixture(scope="module")
def refusing() -> Iterator[tuple[Server, SwitchableServer]]:
    """Start a gateway in the dialect that sends refusals as events, and its fake backend."""
    with SwitchableServer() as backend:
        env = {"CALLBACK_URL": backend.url, "SSE_DIALECT": "envelope"}
        with GatewayServer(env=env) as server:
            yield server, backend


@many
@given(phrase=st.binary(max_size=60).map(lambda raw: re.sub(rb"[\r\n\0]", b"?", raw)))
@example(phrase=b'"},"forged":{"')
@example(phrase=b"data: \x0b\x85\xe2\x80\xa8")
def test_a_backends_reason_phrase(refusing: tuple[Server, SwitchableServer], phrase: bytes) -> None:
    """The reason phrase of a refusal becomes only a string in the rejected event."""
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


def test_the_parser_would_notice() -> None:
    """A forged line makes the check fail."""
    with pytest.raises(AssertionError):
        assert_cut_anywhere(b"data: a\n\nretry: 5\n\n", [SSEEvent("message", "a")])
