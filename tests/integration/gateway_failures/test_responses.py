"""A gateway with unusable responses, or without any."""

from __future__ import annotations

import json

import pytest

from tests.app.services.remote_gateway.http_gateway import OK, Respond, http_answer
from tests.integration.gateway_failures.registered_streams import LIMIT, SLACK, RegisteredStreams


def test_a_working_gateway(streams: RegisteredStreams) -> None:
    """Every stream at a working gateway gets every event of a task, in order."""
    streams.connect(3)
    streams.gateway.bodies.clear()
    streams.run_task(steps=3)
    stories = [
        [json.loads(data)["event_type"] for data in streams.gateway.data_of(token)]
        for token in streams.tokens
    ]
    assert stories == [["task_started", *["progress_update"] * 3, "task_completed"]] * 3


def test_404_drops_the_stream(streams: RegisteredStreams) -> None:
    """A stream that gets 404 is dropped, and the other streams get further sends."""
    streams.connect(3)
    gone = streams.tokens[1]
    streams.gateway.respond = lambda send: http_answer(404) if send["token"] == gone else OK
    streams.gateway.bodies.clear()
    streams.run_task(steps=1)
    assert [len(streams.gateway.data_of(token)) for token in streams.tokens] == [3, 1, 3]
    assert streams.installation.active == 2


@pytest.mark.parametrize(
    "respond",
    [
        lambda send: http_answer(500),
        lambda send: http_answer(302, b"", b"Location: http://127.0.0.1:1/"),
        lambda send: http_answer(401),
        lambda send: b"\0\xffgarbage\r\n\r\n",
        lambda send: b"",
    ],
    ids=["500", "redirect", "401", "garbage", "closes"],
)
def test_error_responses(streams: RegisteredStreams, respond: Respond) -> None:
    """Error responses are counted, and the task and the streams go on."""
    streams.connect(2)
    before = streams.sent("error")
    streams.gateway.respond = respond
    assert streams.run_task(steps=2) < LIMIT + 2 * SLACK
    assert streams.installation.active == 2
    assert streams.sent("error") == before + 4
    streams.gateway.respond = lambda send: OK
    streams.gateway.bodies.clear()
    streams.run_task(steps=1)
    assert [len(streams.gateway.data_of(token)) for token in streams.tokens] == [3, 3]


def test_a_closed_port(streams: RegisteredStreams) -> None:
    """A closed port of the gateway delays nothing, and later the gateway is used again."""
    streams.gateway.stop()
    try:
        assert max(streams.connect(3)) < SLACK
        assert streams.run_task(steps=10) < 2 * SLACK
        assert streams.installation.active == 3
    finally:
        streams.gateway.start()
    streams.gateway.bodies.clear()
    streams.run_task(steps=1)
    assert [len(streams.gateway.data_of(token)) for token in streams.tokens] == [3, 3, 3]
