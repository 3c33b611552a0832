"""Each kind of step, done on the shim."""

from __future__ import annotations

from typing import Any

from gateway_shim.parity.play.stage import Stage
from gateway_shim.parity.play.targets import Command
from gateway_shim.parity.reply import Fate, Reply
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.steps import (
    AwaitCallback,
    AwaitCalls,
    Burst,
    Drop,
    End,
    Exit,
    Fence,
    Gone,
    Heartbeats,
    OnDisconnect,
    Open,
    Overflow,
    Pause,
    Post,
    Release,
    Send,
    Step,
    Terminate,
)

_CLOSE = {"token": "$T", "close": True}


def _play(stage: Stage, observe: Any, *steps: Step) -> Any:
    return stage.play(Scenario("s", steps, observe))


def test_fences_forget_or_keep(running_shim: Stage) -> None:
    """What came before is dropped, or becomes a value."""
    send = Send({"token": "$T", "event": {"data": "x"}})
    steps = (Open(), send, Fence(forget=True), send, Fence(keep="k"), send, Fence())
    seen = _play(running_shim, ["$value:bytes:k", "$body:s"], *steps)
    assert seen == ["data: x\n\n", "data: x\n\n"]


def test_a_fence_on_an_ended_stream_reads_to_its_end(running_shim: Stage) -> None:
    """The mark cannot be sent there, and is not waited for."""
    seen = _play(running_shim, ["$body:s", "$ended:s"], Open(), Send(_CLOSE), Fence(), End())
    assert seen == ["", "clean"]


def test_a_held_callback_can_be_outlived(running_shim: Stage) -> None:
    """Sends are buffered until the client goes; then the token is gone."""
    steps = (
        Open(reply=Reply(fate=Fate.HOLD), until="callback"),
        Send({"token": "$T"}, "before"),
        Drop(),
        Gone(),
        Release(),
    )
    assert _play(running_shim, ["$status:before", "$status:gone"], *steps) == [200, 404]


def test_sends_during_a_disconnect_callback(running_shim: Stage) -> None:
    """They come from the stub, and their answers are kept."""
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


def test_calls_after_a_redirect_are_awaited(running_shim: Stage) -> None:
    """They belong to this scenario, although they name no token."""
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


def test_a_burst_is_in_order(running_shim: Stage) -> None:
    """All of it, behind what was there before."""
    assert _play(running_shim, "$value:in_order:s", Open(), Burst(5)) is True


def test_any_bytes_can_be_posted(running_shim: Stage) -> None:
    """Given as latin-1."""
    assert _play(running_shim, "$status:answer", Post("\xff")) == 400


def test_a_slow_callback_is_measured(running_shim: Stage) -> None:
    """About as long as expected, or how long it was."""
    steps = (Open(reply=Reply(delay=0.2)),)
    about, measured = _play(running_shim, ["$about:1", "$about:60"], *steps)
    assert about == "about 1"
    assert 0.2 <= float(measured) < 1


def test_heartbeats_are_measured_in_intervals(shim: Command) -> None:
    """From the opening, and from each other."""
    process = Process(heartbeat_seconds=1)
    scenario = Scenario(
        "s",
        (Open(), Heartbeats(2)),
        ["$value:first_after:s", "$value:apart:s", "$body:s"],
        process=process,
    )
    with shim.stage(process) as stage:
        seen = stage.play(scenario)
    assert seen == ["1 interval", "1 interval", ": heartbeat\n\n: heartbeat\n\n"]


def test_a_client_that_does_not_read_is_cut_off(shim: Command) -> None:
    """The value says whether the gateway did so; few events are no reason."""
    with shim.stage(Process()) as stage:
        slow = Open(receive_buffer=4096)
        few = _play(stage, "$value:ended:s", slow, Overflow(1000, 2))
        many = _play(stage, "$value:ended:s", slow, Overflow(96_000, 128))
    assert (few, many) == (False, True)


def test_sigterm_is_measured(shim: Command) -> None:
    """Exit status, time to the next ten seconds, and the streams' ends."""
    with shim.stage(Process()) as stage:
        observe = ["$value:exit_code", "$value:seconds", "$ended:s", "$disconnects"]
        seen = _play(stage, observe, Open(), Terminate())
    assert seen == [0, 0, "clean", [["disconnect", "server_closed"]]]


def test_a_bad_environment_ends_the_process(shim: Command) -> None:
    """Its exit status and whether it said why; nothing is left running."""
    with shim.stage(Process(start=False)) as stage:
        observe = ["$value:exit:x", "$value:logged:x"]
        seen = _play(stage, observe, Exit({"PORT": "x"}, "x"))
        left = stage.processes
    assert (seen, [process.exit_status for process in left]) == ([1, True], [None])


def test_process_steps_need_a_process(running_shim: Stage) -> None:
    """With a gateway that only has a URL they do nothing."""
    stage = Stage("127.0.0.1", 1, running_shim.backend, None)
    seen = _play(stage, ["$value:exit_code", "$value:exit:x"], Terminate(), Exit({}, "x"))
    assert seen == [None, None]
