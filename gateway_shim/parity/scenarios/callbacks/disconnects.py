"""Scenarios about disconnect callbacks: odd answers, the order at a close, many at a time."""

from __future__ import annotations

from gateway_shim.parity.reply import RawAnswer, Reply, raw_data
from gateway_shim.parity.scenario import Process, Scenario
from gateway_shim.parity.scenarios.callbacks.answers import answer, redirect, then_closed
from gateway_shim.parity.steps import (
    AwaitCallback,
    AwaitCalls,
    Drop,
    End,
    Fence,
    LeaveTogether,
    OnDisconnect,
    Open,
    Pause,
    Request,
    Send,
)

__all__ = ["DISCONNECTS"]

_CROWD = 200

_ANSWERS: tuple[tuple[str, RawAnswer | Reply], ...] = (
    ("500", answer("500 X")),
    ("closed", then_closed("")),
    ("redirect", redirect("/other", 307, Reply(raw=answer("200 OK")))),
    ("303", redirect("/other", 303, Reply(raw=answer("200 OK")))),
    ("421", Reply(raw=answer("421 M"), times=2)),
    ("103 then 200", "HTTP/1.1 103 Early Hints\r\n\r\n" + answer("200 OK")),
    ("garbage", then_closed("\0\x01garbage\r\n\r\n")),
    ("length abc", "HTTP/1.1 200 OK\r\nContent-Length: abc\r\n\r\n{}"),
)


def _disconnect_answer(case: str, reply: RawAnswer | Reply) -> Scenario:
    reply = reply if isinstance(reply, Reply) else Reply(raw=reply)
    # A redirected call must be awaited; otherwise it would count in the next scenario.
    followed = bool(reply.then)
    return Scenario(
        "disconnect_answers",
        (
            OnDisconnect(reply=reply),
            Open(),
            Fence(),
            Drop(),
            AwaitCallback(),
            *((AwaitCalls(3),) if followed else (Pause(0.1),)),
            Request("GET", "/healthz", name="after"),
        ),
        {
            "case": case,
            "callback_answer_raw": raw_data(reply),
            "calls": "$calls",
            "disconnects": "$disconnects",
            "after": "$status:after",
        },
        case=case,
    )


DISCONNECTS = (
    *(_disconnect_answer(case, reply) for case, reply in _ANSWERS),
    Scenario(
        "callback_bodies",
        (
            Open(target="/p?q=%20", headers=(("X-Uni", "\xe9~"), ("X-Quote", '"\\'))),
            Fence(),
            Drop(),
            AwaitCallback(),
        ),
        "$callback_texts",
    ),
    Scenario(
        "divergence_11",
        (
            OnDisconnect(reply=Reply(delay=0.5)),
            Open(),
            Fence(forget=True),
            Send({"token": "$T", "event": {"data": "bye"}, "close": True}),
            End(),
            AwaitCallback(),
        ),
        {
            "answer": "$answer:answer",
            "bytes": "$body:s",
            "ended": "$ended:s",
            "callbacks_answered_before_the_send": "$value:answered_disconnects:answer",
            "callbacks_answered_before_the_end": "$value:answered_disconnects:s",
            "callbacks": "$reasons",
        },
        seconds=0.6,
    ),
    Scenario(
        "many_leave_at_once",
        (LeaveTogether(_CROWD),),
        {"streams": _CROWD, "told_at_the_same_time": "$value:held"},
        process=Process(alone=True),
        seconds=2.0,
    ),
)
"""The scenarios about the answers to disconnect callbacks, and about their time."""
