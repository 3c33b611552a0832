"""The actions on streams, played on the shim."""

from __future__ import annotations

from typing import Any

import pytest

from gateway_shim.parity.play.player import Player
from gateway_shim.parity.play.probe import ProbeConnection
from gateway_shim.parity.play.targets import Command
from gateway_shim.parity.reply import Reply
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.steps import (
    End,
    Fence,
    Open,
    Overflow,
    Send,
    SendMany,
    Step,
)

pytestmark = pytest.mark.slow

_CLOSE = {"token": "$T", "close": True}


def _play(player: Player, observe: Any, *steps: Step) -> Any:
    return player.play(Scenario("s", steps, observe))


def test_fences_forget_or_keep(running_shim: Player) -> None:
    """A fence drops what came before it, or makes it a value."""
    send = Send({"token": "$T", "event": {"data": "x"}})
    steps = (Open(), send, Fence(forget=True), send, Fence(keep="k"), send, Fence())
    seen = _play(running_shim, ["$value:bytes:k", "$body:s"], *steps)
    assert seen == ["data: x\n\n", "data: x\n\n"]


def test_a_fence_on_an_ended_stream_reads_to_its_end(running_shim: Player) -> None:
    """A fence on an ended stream waits for no mark."""
    seen = _play(running_shim, ["$body:s", "$ended:s"], Open(), Send(_CLOSE), Fence(), End())
    assert seen == ["", "clean"]


def test_a_burst_is_in_order(running_shim: Player) -> None:
    """Numbered events arrive complete and in order."""
    assert _play(running_shim, "$value:in_order:s", Open(), SendMany(5)) is True


@pytest.mark.parametrize(("between", "in_order"), [(": heartbeat", True), ("data: 7", False)])
def test_a_burst_may_contain_heartbeats(
    running_shim: Player, monkeypatch: pytest.MonkeyPatch, between: str, in_order: bool
) -> None:
    """A heartbeat between the events of a burst does not matter; another event does."""
    take_out = ProbeConnection.take_out

    def insert(connection: ProbeConnection, mark: bytes) -> None:
        take_out(connection, mark)
        last = b"data: 4\n\n"
        connection.body[:] = connection.body.replace(last, f"{between}\n\n".encode() + last)

    monkeypatch.setattr(ProbeConnection, "take_out", insert)
    assert _play(running_shim, "$value:in_order:s", Open(), SendMany(5)) is in_order


def test_a_slow_callback_is_measured(running_shim: Player) -> None:
    """A duration is shown as the expected one, or as the measured one."""
    steps = (Open(reply=Reply(delay=0.2)),)
    about, measured = _play(running_shim, ["$about:1", "$about:60"], *steps)
    assert about == "about 1"
    assert 0.2 <= float(measured) < 1


def test_the_stream_of_a_client_that_does_not_read_is_ended(shim: Command) -> None:
    """Many events end the stream of a client that does not read; a few events do not."""
    with shim.player(Process()) as player:
        slow = Open(receive_buffer=4096)
        few = _play(player, "$value:ended:s", slow, Overflow(1000, 2))
        many = _play(player, "$value:ended:s", slow, Overflow(96_000, 128))
    assert (few, many) == (False, True)
