"""Scenarios about a stream after its opening: buffered sends, ends, heartbeats, SIGTERM."""

from __future__ import annotations

from typing import Any

from gateway_shim.parity.reply import Fate, Reply
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.steps import (
    AwaitCallback,
    AwaitExit,
    AwaitHeartbeats,
    Drop,
    End,
    Fence,
    Gone,
    Open,
    Release,
    Send,
    SendMany,
    Terminate,
)

__all__ = ["LIFECYCLE", "buffered", "event"]


def event(name: str, data: str, **more: Any) -> dict[str, Any]:
    """Return a send of a named event to the scenario's stream."""
    return {"token": "$T", "event": {"name": name, "data": data}, **more}


def buffered(name: str, *sends: Any, status: int = 200, ends: bool = False) -> Scenario:
    """Return a scenario with sends during the connect callback, which shows what is written."""
    last = (End(), AwaitCallback()) if ends and status == 200 else (End(),) if ends else (Fence(),)
    return Scenario(
        name,
        (Open(reply=Reply(status, sends=sends)), *last),
        {
            "during_callback": "$during",
            "head": "$status:s",
            "bytes": "$body:s",
            "ended": "$ended:s",
            "callbacks": "$reasons",
        },
    )


LIFECYCLE = (
    Scenario(
        "client_disconnects",
        (
            Open(target="/api/sse/stream?request_id=r9", headers=(("X-A", "1"),)),
            Drop(),
            AwaitCallback(),
            Send({"token": "$T", "event": {"data": "late"}}),
        ),
        {"callbacks": "$callbacks", "send_after": "$answer:answer"},
    ),
    Scenario(
        "client_disconnects_during_callback",
        (Open(reply=Reply(fate=Fate.HOLD), until="callback"), Drop(), Gone(), Release()),
        {"send_meanwhile": "$answer:gone", "callbacks": "$actions"},
    ),
    buffered("buffered_one", event("a", "1")),
    buffered("buffered_fifo", *(event("a", f"{number}") for number in range(5))),
    buffered("buffered_close_with_event", event("a", "1", close=True), event("a", "2"), ends=True),
    buffered("buffered_close_only", {"token": "$T", "close": True}, ends=True),
    buffered("buffered_empty_send", {"token": "$T"}),
    buffered("buffered_then_rejected", event("a", "1"), status=403, ends=True),
    Scenario("ordering_200_events", (Open(), SendMany(200)), {"in_order": "$value:in_order:s"}),
    Scenario(
        "heartbeats",
        (Open(), AwaitHeartbeats(4)),
        {"body_after_3.4s_at_1s": "$body:s"},
        process=Process(heartbeat_seconds=1),
        seconds=4.5,
    ),
    Scenario(
        "replaced_by_backend",
        (
            Open("first"),
            Fence("first", forget=True),
            Open("second"),
            Fence("second", forget=True),
            Send({"token": "$T", "event": {"data": "one"}, "close": True}, "one", "first"),
            Send({"token": "$T", "event": {"data": "two"}}, "two", "second"),
            End("first"),
            Fence("second"),
        ),
        {
            "answers": ["$status:one", "$status:two"],
            "first_saw_one": "$saw:first:data: one\n\n",
            "second_saw_two": "$saw:second:data: two\n\n",
        },
    ),
    Scenario(
        "sigterm_with_open_stream",
        (Open(), Fence(), Terminate()),
        {
            "exit_code": "$value:exit_code",
            "seconds": "$value:seconds",
            "ended": "$ended:s",
            "callbacks": "$disconnects",
        },
        process=Process(),
        seconds=10.0,
    ),
    Scenario(
        "bad_environment",
        tuple(AwaitExit({"PORT": port}, f"PORT={port}") for port in ("abc", "0", "70000")),
        {f"PORT={port}": f"$value:exit:PORT={port}" for port in ("abc", "0", "70000")},
        process=Process(start=False),
        seconds=2.0,
    ),
)
"""The given recordings' scenarios about what follows the opening of a stream."""
