"""Playing scenarios: what is seen, and what happens when a gateway gives nothing to see."""

from __future__ import annotations

import pytest

from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.stage import Stage
from gateway_shim.parity.play.stub_backend import StubBackend
from gateway_shim.parity.play.targets import Command
from gateway_shim.parity.reply import Reply
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.steps import AwaitCallback, Drop, End, Fence, Open, Request, Send
from tests.gateway_shim.parity.wire_server import answering

_EVENT = {"token": "$T", "event": {"name": "n", "data": "1"}}


def test_a_stream_is_played_and_seen(running_shim: Stage) -> None:
    """Body, answer, end and callbacks, with the token made anonymous and the fence taken out."""
    scenario = Scenario(
        "s",
        (Open(target="/x"), Send(_EVENT), Fence(), Drop(), AwaitCallback()),
        {
            "status": "$status:s",
            "type": "$header:s:content-type",
            "body": "$body:s",
            "chunks": "$chunks:s",
            "ended": "$ended:s",
            "saw": "$saw:s:data: 1",
            "sent": "$answer:answer",
            "reasons": "$reasons",
            "actions": "$actions",
            "disconnects": "$disconnects",
            "url": "$callback_url",
            "of": "$callbacks_of:s",
            "asked": "$asked:s",
        },
    )
    ok = {"status": 200, "headers": {"content-type": "application/json; charset=utf-8"}}
    text = "event: n\ndata: 1\n\n"
    path = "/api/sse/callback?secret=s3cret"
    request = {"url": "/x", "headers": {"host": "gw.example", "accept": "text/event-stream"}}
    connect = {"action": "connect", "token": "$TOKEN1", "request": request}
    gone = {**connect, "action": "disconnect", "reason": "client_closed"}
    assert running_shim.play(scenario) == {
        "status": 200,
        "type": "text/event-stream",
        "body": text,
        "chunks": [text],
        "ended": None,
        "saw": True,
        "sent": {**ok, "json": {"status": "ok"}},
        "reasons": [["connect", None], ["disconnect", "client_closed"]],
        "actions": ["connect", "disconnect"],
        "disconnects": [["disconnect", "client_closed"]],
        "url": "/x",
        "of": [
            {"path": path, "content_type": "application/json", "json": connect},
            {"path": path, "content_type": "application/json", "json": gone},
        ],
        "asked": True,
    }


def test_scenarios_do_not_see_each_other(running_shim: Stage) -> None:
    """The end of one scenario's stream is no callback of the next one's."""
    first = Scenario("a", (Open(),), "$actions")
    second = Scenario("b", (Open(reply=Reply(404)), End()), "$actions")
    assert [running_shim.play(s) for s in (first, second, first)] == [["connect"]] * 3


def test_a_request_that_calls_nobody(running_shim: Stage) -> None:
    """No callback is no callback, and no URL."""
    scenario = Scenario(
        "s",
        (Request("GET", "/healthz"),),
        {"a": "$actions", "u": "$callback_url", "b": "$body:answer"},
    )
    assert running_shim.play(scenario) == {"a": [], "u": None, "b": '{"status":"ok"}'}


def test_nonsense_in_the_middle_is_an_observation() -> None:
    """The scenario says why it could not go on."""
    backend = StubBackend()
    with answering(b"SSH-2.0\r\n") as port:
        stage = Stage("127.0.0.1", port, backend, None, patience=1)
        seen = stage.play(Scenario("s", (Open(),), "$body:s"))
    backend.stop()
    assert seen == {"failed": "no HTTP/1.x answer but b'SSH-2.0\\r\\n'"}


def test_a_gateway_that_died_is_an_error(shim: Command) -> None:
    """Abort kills it, and then there is nothing left to play on."""
    with shim.stage(Process()) as stage:
        stage.abort()
        with pytest.raises(GatewayFailed, match=r"died .* while it was being used"):
            stage.play(Scenario("s", (Open(),), "$body:s"))


def test_patience_runs_out() -> None:
    """What keeps us waiting for nothing gets half the time afterwards, down to a least."""
    backend = StubBackend()
    stage = Stage("127.0.0.1", 1, backend, None, patience=1.5)
    given: list[float] = []
    for answer in (True, False, False, False):
        stage.wait(lambda seconds, answer=answer: given.append(seconds) or answer)  # type: ignore[misc]
    backend.stop()
    assert (given, stage.patience) == ([1.5, 1.5, 0.75, 0.5], 0.5)
