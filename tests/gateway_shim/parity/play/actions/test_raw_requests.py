"""Raw requests: the answers, and the state of the connection afterwards."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_shim.parity.play.player import Player
from gateway_shim.parity.play.stub_backend import StubBackend
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.steps import End, Fence, Raw, Rest, Send, Step
from tests.gateway_shim.parity.fixed_answer import answering

pytestmark = pytest.mark.slow

_HOST = "Host: gw.example\r\n\r\n"
_HEALTH = f"GET /healthz HTTP/1.1\r\n{_HOST}"
_STREAM = f"GET /x HTTP/1.1\r\n{_HOST}"
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"


def _play(player: Player, observe: Any, *steps: Step) -> Any:
    return player.play(Scenario("s", steps, observe))


def test_several_answers_and_a_connection_that_goes_on(running_shim: Player) -> None:
    """Each answer is shown with its status, and the connection serves a further request."""
    seen = _play(running_shim, "$value:answer", Raw((_HEALTH * 2,), ("GET", "GET")))
    assert [answer["status"] for answer in seen["answers"]] == [200, 200]
    assert seen["answers"][0]["body"] == '{"status":"ok"}'
    assert seen["answers"][0]["cors"] is True
    assert seen["connection"] == "served"


def test_a_stream_is_known_to_later_steps(running_shim: Player) -> None:
    """Later steps know a stream by its name and its token."""
    steps = (
        Raw((_STREAM,)),
        Fence(forget=True),
        Send({"token": "$T", "event": {"data": "x"}, "close": True}),
        End(),
    )
    seen = _play(running_shim, ["$value:answer", "$body:s", "$actions"], *steps)
    head = {"content-type": "text/event-stream", "connection": "keep-alive"}
    opened = {"status": 200, "headers": head, "cors": True}
    assert seen == [
        {"answers": [opened], "connection": "stream"},
        "data: x\n\n",
        ["connect", "disconnect"],
    ]


def test_the_answers_behind_a_stream() -> None:
    """Answers that follow a stream are read on its connection after it has ended."""
    stream = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"
    backend = StubBackend()
    try:
        with answering(stream + b"\r\n0\r\n\r\n", _OK + b"\r\nok") as port:
            player = Player("127.0.0.1", port, backend, None)
            steps = (Raw((_STREAM, _HEALTH)), End(), Rest())
            fates = _play(player, ["$value:answer", "$value:rest"], *steps)
    finally:
        backend.stop()
    assert [fate["connection"] for fate in fates] == ["stream", "closed"]
    assert [answer["body"] for answer in fates[1]["answers"]] == ["ok"]


@pytest.mark.parametrize(
    ("answer", "then", "fate"),
    [
        (b"", "close", "closed"),
        (b"", "wait", "silent"),
        (b"SSH-2.0", "close", "not HTTP: SSH-2.0"),
        (_OK + b"\r\nok", "close", "closed"),
        (_OK + b"\r\nok", "wait", "silent"),
        (_OK + b"\r\no", "wait", "silent"),
        (_OK + b"Connection: close\r\n\r\nok", "close", "closed"),
        (_OK + b"Connection: close\r\n\r\nok", "wait", "open"),
        (_OK + b"Connection: close\r\n\r\nok" + _OK + b"\r\nok", "wait", "a further answer: 200"),
        (_OK + b"\r\nok" + b"junk", "wait", "not HTTP: junk"),
        (_OK + b"\r\nok" + _OK + b"\r\nno", "wait", "a further answer: 200"),
    ],
)
def test_the_state_of_the_connection_is_shown(answer: bytes, then: str, fate: str) -> None:
    """The state of the connection comes from what is received, not only from a timeout."""
    backend = StubBackend()
    try:
        with answering(answer, then=then) as port:
            player = Player("127.0.0.1", port, backend, None, patience=0.5)
            assert _play(player, "$value:answer", Raw((_HEALTH,)))["connection"] == fate
    finally:
        backend.stop()


def test_interim_answers_and_http_1_0_are_shown() -> None:
    """Interim answers and HTTP/1.0 are shown only if they occur."""
    backend = StubBackend()
    raw = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 204 No\r\nConnection: close\r\n\r\n"
    try:
        with answering(raw) as port:
            player = Player("127.0.0.1", port, backend, None)
            seen = _play(player, "$value:answer", Raw((_HEALTH,), finishes=True))
    finally:
        backend.stop()
    answer = {"status": 204, "headers": {"connection": "close"}, "interim": [100]}
    answer |= {"version": "HTTP/1.0", "cors": False, "body": ""}
    assert seen == {"answers": [answer], "connection": "closed"}
