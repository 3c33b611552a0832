"""The choice of actions: steps of several kinds, played on the shim."""

from __future__ import annotations

from typing import Any

from gateway_shim.parity.play.player import Player
from gateway_shim.parity.reply import Fate, Reply
from gateway_shim.parity.scenario import Scenario
from gateway_shim.parity.steps import (
    AwaitCallback,
    AwaitCalls,
    AwaitExit,
    Drop,
    Gone,
    OnDisconnect,
    Open,
    Pause,
    Post,
    Release,
    Send,
    Step,
    Terminate,
)

_CLOSE = {"token": "$T", "close": True}


def _play(player: Player, observe: Any, *steps: Step) -> Any:
    return player.play(Scenario("s", steps, observe))


def test_a_client_can_leave_during_a_held_callback(running_shim: Player) -> None:
    """Sends are buffered until the client leaves; then the token is gone."""
    steps = (
        Open(reply=Reply(fate=Fate.HOLD), until="callback"),
        Send({"token": "$T"}, "before"),
        Drop(),
        Gone(),
        Release(),
    )
    assert _play(running_shim, ["$status:before", "$status:gone"], *steps) == [200, 404]


def test_sends_during_a_disconnect_callback(running_shim: Player) -> None:
    """The stub backend makes the sends, and their answers are kept."""
    steps = (
        OnDisconnect(({"token": "$T"},)),
        Open(),
        Drop(reset=True),
        AwaitCallback(),
        Pause(0.1),
    )
    seen = _play(running_shim, ["$during", "$reasons"], *steps)
    assert [answer["status"] for answer in seen[0]] == [404]
    assert seen[1] == [["connect", None], ["disconnect", "client_closed"]]


def test_calls_after_a_redirect_are_awaited(running_shim: Player) -> None:
    """Requests after a redirect belong to the scenario, although they have no token."""
    redirect = "HTTP/1.1 303 See\r\nLocation: /other\r\nContent-Length: 0\r\n\r\n"
    slow = Reply(raw="HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", delay=0.2)
    steps = (
        OnDisconnect(reply=Reply(raw=redirect, delay=0.2, then=(slow,))),
        Open(),
        Drop(),
        AwaitCallback(),
        AwaitCalls(3),
    )
    seen = _play(running_shim, "$calls", *steps)
    assert [call.split("?")[0] for call in seen] == [
        "POST /api/sse/callback",
        "POST /api/sse/callback",
        "GET /other -",
    ]


def test_any_bytes_can_be_posted(running_shim: Player) -> None:
    """A post takes its bytes as latin-1."""
    assert _play(running_shim, "$status:answer", Post("\xff")) == 400


def test_process_steps_need_a_process(running_shim: Player) -> None:
    """Steps about a process do nothing on a gateway that the kit has not started."""
    player = Player("127.0.0.1", 1, running_shim.context.backend, None)
    seen = _play(player, ["$value:exit_code", "$value:exit:x"], Terminate(), AwaitExit({}, "x"))
    assert seen == [None, None]
