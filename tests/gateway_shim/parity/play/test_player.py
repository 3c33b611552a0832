"""Playing scenarios: what is seen, and what happens if a gateway cannot be played on."""

from __future__ import annotations

import time

import pytest

from gateway_shim.parity.play.launcher import GatewayFailed
from gateway_shim.parity.play.player import Player
from gateway_shim.parity.play.session import Session
from gateway_shim.parity.play.stub_backend import StubBackend
from gateway_shim.parity.play.targets import Command
from gateway_shim.parity.reply import After, Reply
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.steps import AwaitCallback, Drop, End, Fence, Open, Request, Send
from tests.gateway_shim.parity.fixed_answer import answering

_EVENT = {"token": "$T", "event": {"name": "n", "data": "1"}}


def test_a_stream_is_played_and_seen(running_shim: Player) -> None:
    """A scenario shows what its template names, with numbered tokens and without the fence."""
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


def test_scenarios_do_not_see_each_other(running_shim: Player) -> None:
    """The late callbacks of a scenario do not appear in the next one."""
    first = Scenario("a", (Open(),), "$actions")
    second = Scenario("b", (Open(reply=Reply(404)), End()), "$actions")
    assert [running_shim.play(s) for s in (first, second, first)] == [["connect"]] * 3


def test_an_answer_ends_with_its_scenario(
    running_shim: Player, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of an answer is written before the next scenario begins, however late it is."""
    withhold = Session.withhold

    def late(session: Session) -> None:
        withhold(session)
        time.sleep(0.05)  # a thread that gets no processor

    monkeypatch.setattr(Session, "withhold", late)
    raw = "HTTP/1.1 204 N\r\nContent-Length: 2\r\n\r\n"
    reply = Reply(raw=raw, after=After.WITHHOLD, tail="{}")
    first = Scenario("a", (Open(reply=reply),), "$status:s")
    second = Scenario("b", (Open(),), ["$status:s", "$actions"])
    for _ in range(5):
        assert running_shim.play(first) == 200
        assert running_shim.play(second) == [200, ["connect"]]


def test_a_request_without_callbacks_shows_none(running_shim: Player) -> None:
    """A request that calls no backend has no callbacks and no callback URL."""
    scenario = Scenario(
        "s",
        (Request("GET", "/healthz"),),
        {"a": "$actions", "u": "$callback_url", "b": "$body:answer"},
    )
    assert running_shim.play(scenario) == {"a": [], "u": None, "b": '{"status":"ok"}'}


def test_a_scenario_that_cannot_continue_shows_the_reason() -> None:
    """A scenario that cannot continue shows the reason."""
    backend = StubBackend()
    with answering(b"SSH-2.0\r\n") as port:
        player = Player("127.0.0.1", port, backend, None, patience=1)
        seen = player.play(Scenario("s", (Open(),), "$body:s"))
    backend.stop()
    assert seen == {"failed": "expected an HTTP/1.x answer, received b'SSH-2.0\\r\\n'"}


def test_a_gateway_that_died_is_an_error(shim: Command) -> None:
    """A gateway that was killed raises an error."""
    with shim.player(Process()) as player:
        player.abort()
        with pytest.raises(GatewayFailed, match=r"died .* while it was in use"):
            player.play(Scenario("s", (Open(),), "$body:s"))
